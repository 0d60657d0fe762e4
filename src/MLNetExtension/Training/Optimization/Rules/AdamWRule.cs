using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization.Rules;

/// <summary>The coefficients of AdamW.</summary>
/// <param name="Beta1">Decay of the mean of gradients.</param>
/// <param name="Beta2">Decay of the mean of squared gradients.</param>
/// <param name="Epsilon">Added to the denominator.</param>
internal readonly record struct AdamWCoefficients(double Beta1, double Beta2, double Epsilon)
{
    /// <summary>Moves the running means and updates the weights by them.</summary>
    /// <param name="update">The weights, [n].</param>
    /// <param name="first">Running mean of their gradient, [n].</param>
    /// <param name="second">Running mean of its square, [n].</param>
    public void Step(in Update update, Tensor first, Tensor second)
    {
        first.mul_(Scalars.Of(Beta1)).add_(update.Gradient, Scalars.Of(1 - Beta1));
        second.mul_(Scalars.Of(Beta2)).addcmul_(update.Gradient, update.Gradient, Scalars.Of(1 - Beta2));
        update.ApplyDecay();
        update.Values.addcdiv_(first, Denominator(update, second), Scalars.Of(-Rate(update)));
    }

    /// <summary>Computes a step of the same running means backwards.</summary>
    /// <inheritdoc cref="Step" path="/param"/>
    public void TakeBack(in Update update, Tensor first, Tensor second)
    {
        update.Values.addcdiv_(first, Denominator(update, second), Scalars.Of(Rate(update)));
        if (update.Piece.WeightDecay != 0)
            update.Values.div_(Scalars.Of(update.Decay));
    }

    private double Rate(in Update update) => update.LearningRate / (1 - Math.Pow(Beta1, update.Steps));

    // sqrt(v / (1 - beta2^t)) + epsilon, in the place of the gradient.
    private Tensor Denominator(in Update update, Tensor second) =>
        update.Gradient.copy_(second).sqrt_().mul_(Scalars.Of(1 / Math.Sqrt(1 - Math.Pow(Beta2, update.Steps)))).add_(Scalars.Of(Epsilon), Scalars.One);
}

/// <summary>AdamW, see <see cref="AdamWOptions"/>.</summary>
/// <param name="layout">What it updates.</param>
/// <param name="coefficients">Its coefficients.</param>
internal sealed class AdamWRule(UpdateLayout layout, AdamWCoefficients coefficients) : IUpdateRule
{
    private readonly Tensor _first = layout.CreateState(), _second = layout.CreateState();

    public IReadOnlyList<(string Name, Tensor Tensor)> State => [("first_moment", _first), ("second_moment", _second)];

    public void Step(in Update update) => coefficients.Step(update, update.Own(_first), update.Own(_second));

    // The numbers up to which an update and a decay are so small beside the weights that adding the one and dividing by the other gives them back. A second moment that is forgotten before the first, or
    // a gradient whose square float32 rounds to 0 beside a tiny epsilon, makes updates of any size.
    public bool CanTakeBack(double learningRate, double weightDecay) =>
        learningRate <= 0.1 && learningRate * weightDecay <= 0.1 && coefficients.Beta1 * coefficients.Beta1 <= coefficients.Beta2 && coefficients.Epsilon >= 1e-15;

    public void TakeBack(in Update update) => coefficients.TakeBack(update, update.Own(_first), update.Own(_second));

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
    }
}
