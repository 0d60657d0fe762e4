using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization.Rules;

/// <summary>Stochastic gradient descent with momentum, see <see cref="SgdOptions"/>.</summary>
/// <param name="layout">What it updates.</param>
/// <param name="decay">Decay of the sum of gradients.</param>
/// <param name="nesterov">Whether the gradient counts once more.</param>
internal sealed class SgdRule(UpdateLayout layout, double decay, bool nesterov) : IUpdateRule
{
    private readonly Tensor _momentum = layout.CreateState();

    public IReadOnlyList<(string Name, Tensor Tensor)> State => [("momentum", _momentum)];

    public void Step(in Update update)
    {
        Tensor momentum = update.Own(_momentum).mul_(Scalars.Of(decay)).add_(update.Gradient, Scalars.One);
        update.ApplyDecay();
        update.Values.add_(nesterov ? update.Gradient.add_(momentum, Scalars.Of(decay)) : momentum, Scalars.Of(-update.LearningRate));
    }

    public void Dispose() => _momentum.Dispose();
}
