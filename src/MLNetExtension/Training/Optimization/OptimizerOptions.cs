using System.Text.Json.Serialization;
using MLNetExtension.Training.Optimization.Rules;

namespace MLNetExtension.Training.Optimization;

/// <summary>How the weights are updated from a gradient: <see cref="AdamWOptions"/>, <see cref="MuonOptions"/>, <see cref="AdafactorOptions"/>, <see cref="LionOptions"/> or <see cref="SgdOptions"/>.</summary>
/// <remarks>Weight decay is decoupled in all of them: a step multiplies a weight by 1 - learning rate * decay, whatever its gradient.</remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = Kind)]
[JsonDerivedType(typeof(AdamWOptions), DefaultKind)]
[JsonDerivedType(typeof(MuonOptions), "muon")]
[JsonDerivedType(typeof(AdafactorOptions), "adafactor")]
[JsonDerivedType(typeof(LionOptions), "lion")]
[JsonDerivedType(typeof(SgdOptions), "sgd")]
public abstract record OptimizerOptions
{
    internal const string Kind = "kind", DefaultKind = "adamW";

    // Times the largest learning rate, still a float32.
    private const double MostWeightDecay = 1e6;

    private protected OptimizerOptions()
    {
    }

    /// <summary>Decoupled weight decay, from 0 to 1e6. Default null; it follows from the optimizer and from what is trained: AdamW and Muon take 0.1 for a new network, 0.01 for a pretrained model, 0 for adapters.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>Which parameters decay. Default <see cref="WeightDecayRule.LinearWeights"/>.</summary>
    public WeightDecayRule DecayRule { get; init; } = WeightDecayRule.LinearWeights;

    /// <summary>
    /// Names of parameters that do not decay, whatever the rule says; <c>*</c> stands for any characters, upper and lower case are the same. Names are those of published files where the model has such
    /// (<c>model.norm.weight</c>), else those of its modules. A name without <c>*</c> that no parameter has is refused. Default: none.
    /// </summary>
    public IReadOnlyList<string> DecayExclusions { get; init; } = [];

    /// <summary>Parameters, by their names, that have a learning rate or a weight decay of their own, or stay as they are. A parameter belongs to the first group that names it. Default: none.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; init; } = [];

    /// <summary>L2 norm that a longer gradient is clipped to. Default 1; from 0 to 1e30, and 0 switches clipping off.</summary>
    public double MaximumGradientNorm { get; init; } = 1;

    /// <summary>The optimizer's name and coefficients, for a line of the log.</summary>
    internal abstract string Describe();

    /// <summary>Whether ranks can each keep the state of a shard of the weights, wherever those are divided.</summary>
    internal abstract bool SharesState { get; }

    /// <summary>Whether a parameter has to be updated whole.</summary>
    internal abstract bool UpdatesWholeParameters { get; }

    /// <summary>Gives the coefficients that are not set the values that suit what is trained.</summary>
    /// <param name="trained">What is trained.</param>
    internal abstract OptimizerOptions FillIn(TrainedKind trained);

    /// <summary>Gives the peak of the learning rate, where none is set.</summary>
    /// <param name="trained">What is trained.</param>
    /// <param name="usual">The rate that suits AdamW.</param>
    internal abstract double DeriveLearningRate(TrainedKind trained, double usual);

    /// <summary>Creates the rule, with a state of zeros.</summary>
    /// <param name="layout">What it updates.</param>
    internal abstract IUpdateRule CreateRule(UpdateLayout layout);

    /// <summary>Checks every option.</summary>
    /// <param name="group">What messages call the options.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    internal virtual void Validate(string group)
    {
        Require.That(WeightDecay is null or (>= 0 and <= MostWeightDecay), WeightDecay, "from 0 to 1E+06", group);
        Require.Defined(DecayRule, group);
        Require.Names(DecayExclusions, group);
        Require.That(Groups is not null && Groups.All(own => own is not null), Groups, "a list of groups", group);
        for (int i = 0; i < Groups!.Count; i++)
            Groups[i].Validate($"{group}.{nameof(Groups)}[{i}]", MostWeightDecay);
        Require.NotNegative(MaximumGradientNorm, group);
    }
}
