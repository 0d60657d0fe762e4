using MLNetExtension.Training.Optimization.Rules;

namespace MLNetExtension.Training.Optimization;

/// <summary>Muon: the momentum of each weight matrix is made nearly orthogonal before it is added, so that all its directions are trained alike; embeddings, the head, norms and biases are updated by AdamW.</summary>
/// <remarks>
/// <para>M = momentum * M + G; O = NewtonSchulz(G + momentum * M) in five iterations X = a X + (b X X' + c (X X')^2) X with a, b, c = 3.4445, -4.7750, 2.0315; W = (1 - rate * decay) W - rate * 0.2 sqrt(max(rows, columns)) O.
/// The factor gives updates AdamW's usual size, so that learning rate and weight decay are AdamW's. A layer that holds several matrices as one (queries, keys and values) is updated matrix by matrix.</para>
/// <para>Ranks do not share its state: a matrix is updated whole.</para>
/// <para>Sources: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; J. Liu et al., "Muon is scalable for LLM training" (Moonlight), 2025, arXiv 2502.16982.</para>
/// </remarks>
public sealed record MuonOptions : OptimizerOptions
{
    /// <summary>Decay of the sum of gradients. Default 0.95; from 0 to below 1.</summary>
    public double Momentum { get; init; } = 0.95;

    /// <summary>Beta1 of AdamW for what is not a matrix. Default 0.9; from 0 to below 1.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Beta2 of AdamW for what is not a matrix, from 0 to below 1. Default null: as <see cref="AdamWOptions.Beta2"/>.</summary>
    public double? Beta2 { get; init; }

    /// <summary>Epsilon of AdamW for what is not a matrix. Default 1e-8; from 1.18e-38 to 1e30.</summary>
    public double Epsilon { get; init; } = 1e-8;

    internal override bool SharesState => false;

    internal override bool UpdatesWholeParameters => true;

    internal override string Describe() => FormattableString.Invariant($"Muon with weight decay {WeightDecay:G3} and momentum {Momentum:G4}, and AdamW with betas {Beta1:G4} and {Beta2:G4}");

    internal override OptimizerOptions FillIn(TrainedKind trained) =>
        this with { Beta2 = Beta2 ?? AdamWOptions.DefaultBeta2For(trained), WeightDecay = WeightDecay ?? AdamWOptions.DefaultWeightDecayFor(trained) };

    internal override double DeriveLearningRate(TrainedKind trained, double usual) => usual;

    internal override IUpdateRule CreateRule(UpdateLayout layout) => new MuonRule(layout, Momentum, new AdamWCoefficients(Beta1, Beta2 ?? AdamWOptions.DefaultBeta2, Epsilon));

    internal override void Validate(string group)
    {
        base.Validate(group);
        Require.Share(Momentum, group);
        Require.Share(Beta1, group);
        Require.Share(Beta2, group);
        Require.Positive(Epsilon, group);
    }
}
