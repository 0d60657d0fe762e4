using MLNetExtension.Models.Lora;

namespace MLNetExtension.Training.Optimization;

/// <summary>Parameters that are updated in a way of their own.</summary>
public sealed record ParameterGroup
{
    /// <summary>
    /// Names of the parameters, at least one; <c>*</c> stands for any characters, upper and lower case are the same. Names are those of published files where the model has such
    /// (<c>model.layers.0.mlp.up_proj.weight</c>), else those of its modules. A name without <c>*</c> that no parameter has is refused, and so is one that names a part of what the model keeps as one.
    /// </summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>What the learning rate is multiplied by. Default 1; from 0 to 1e30.</summary>
    public double LearningRateFactor { get; init; } = 1;

    /// <summary>Decoupled weight decay of these parameters, vectors too, whatever rule and exclusions say; from 0 to 1e6. Default null, that of the optimizer, by its rule.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>Whether the parameters stay as they are: no gradient is computed for them, and they take no memory for one. Default false.</summary>
    public bool IsFrozen { get; init; }

    /// <summary>LoRA+: the second matrices of low-rank adapters, B, have a learning rate so many times that of the first ones.</summary>
    /// <param name="ratio">The ratio of the two learning rates. Default 16, as in the paper's experiments; from 0 to 1e30.</param>
    /// <remarks>Source: S. Hayou et al., "LoRA+: efficient low rank adaptation of large models", 2024, arXiv 2402.12354. Used with <see cref="LoraOptions"/>.</remarks>
    public static ParameterGroup LoraPlus(double ratio = 16) => new() { Names = ["*lora_B*"], LearningRateFactor = ratio };

    internal void Validate(string group, double mostWeightDecay)
    {
        Require.Names(Names, group);
        Require.That(Names.Count > 0, Names, "at least one name", group);
        Require.NotNegative(LearningRateFactor, group);
        Require.That(WeightDecay is null || (WeightDecay >= 0 && WeightDecay <= mostWeightDecay), WeightDecay, "from 0 to 1E+06", group);
    }
}
