using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization.Rules;

/// <summary>Lion, see <see cref="LionOptions"/>.</summary>
/// <param name="layout">What it updates.</param>
/// <param name="beta1">Share of the momentum in an update's direction.</param>
/// <param name="beta2">Decay of the momentum.</param>
internal sealed class LionRule(UpdateLayout layout, double beta1, double beta2) : IUpdateRule
{
    private readonly Tensor _momentum = layout.CreateState();

    public IReadOnlyList<(string Name, Tensor Tensor)> State => [("momentum", _momentum)];

    public void Step(in Update update)
    {
        Tensor momentum = update.Own(_momentum);
        Tensor direction = (momentum * Scalars.Of(beta1)).add_(update.Gradient, Scalars.Of(1 - beta1)).sign_();
        update.ApplyDecay();
        update.Values.add_(direction, Scalars.Of(-update.LearningRate));
        momentum.mul_(Scalars.Of(beta2)).add_(update.Gradient, Scalars.Of(1 - beta2));
    }

    public void Dispose() => _momentum.Dispose();
}
