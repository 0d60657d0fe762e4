using MLNetExtension.Training.Optimization.Rules;

namespace MLNetExtension.Training.Optimization;

/// <summary>Stochastic gradient descent with momentum.</summary>
/// <remarks>M = momentum * M + G; W = (1 - rate * decay) W - rate M, or with Nesterov's momentum - rate (G + momentum * M), as in PyTorch but with decoupled decay. Source: I. Sutskever et al., "On the importance of
/// initialization and momentum in deep learning", 2013.</remarks>
public sealed record SgdOptions : OptimizerOptions
{
    /// <summary>Decay of the sum of gradients. Default 0.9; from 0 to below 1.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Whether the gradient counts once more, as in Nesterov's method. Default false.</summary>
    public bool Nesterov { get; init; }

    internal override bool SharesState => true;

    internal override bool UpdatesWholeParameters => false;

    internal override string Describe() => FormattableString.Invariant($"SGD with weight decay {WeightDecay:G3} and {(Nesterov ? "Nesterov's " : "")}momentum {Momentum:G4}");

    internal override OptimizerOptions FillIn(TrainedKind trained) => this with { WeightDecay = WeightDecay ?? 0 };

    internal override double DeriveLearningRate(TrainedKind trained, double usual) => trained == TrainedKind.New ? 0.1 : 0.01;

    internal override IUpdateRule CreateRule(UpdateLayout layout) => new SgdRule(layout, Momentum, Nesterov);

    internal override void Validate(string group)
    {
        base.Validate(group);
        Require.Share(Momentum, group);
    }
}
