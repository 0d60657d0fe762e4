using MLNetExtension.Training.Preference;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>The methods that the command line offers.</summary>
internal enum PreferenceChoice
{
    Dpo,
    Ipo,
    Orpo,
    SimPo,
    Kto,
}

/// <summary>The settings of <c>prefer</c>.</summary>
internal sealed class PreferSettings
{
    /// <summary>The model to train further.</summary>
    public string ModelFile { get; set; } = "";

    /// <summary>The user's rows, of which pairs are made; null for the API documentation of the SDK.</summary>
    public string? DataFile { get; set; }

    /// <summary>The columns of <see cref="DataFile"/>.</summary>
    public RowColumns Columns { get; set; } = new();

    /// <summary>What is minimized.</summary>
    public PreferenceChoice Choice { get; set; }

    /// <summary>The method's first coefficient; null for its default.</summary>
    public double? Beta { get; set; }

    /// <summary>For DPO, the weight of the chosen completions' likelihood: without it the model unlearns what it is to write, see docs/preference-pairs.md.</summary>
    public double LikelihoodWeight { get; set; } = 1;

    public int Steps { get; set; } = 40;

    public int BatchSize { get; set; } = 16;

    /// <summary>For a model of a million weights; the library's default is for those of billions.</summary>
    public double LearningRate { get; set; } = 2e-5;

    /// <summary>Most held-out pairs to measure, and most prompts to generate from.</summary>
    public int EvaluationPairs { get; set; } = 48;

    /// <summary>Seed of the split, which is that of <c>train</c> with the same seed, and of the order of pairs.</summary>
    public int Seed { get; set; } = 1;

    public DeviceChoice Device { get; set; }

    public string OutputFolder { get; set; } = Path.Combine("artifacts", "prefer");

    /// <summary>The method with its coefficient.</summary>
    public PreferenceMethod Method => Choice switch
    {
        PreferenceChoice.Ipo => Beta is { } tau ? PreferenceMethod.Ipo(tau) : PreferenceMethod.Ipo(),
        PreferenceChoice.Orpo => Beta is { } lambda ? PreferenceMethod.Orpo(lambda) : PreferenceMethod.Orpo(),
        PreferenceChoice.SimPo => Beta is { } scale ? PreferenceMethod.SimPo(scale) : PreferenceMethod.SimPo(),
        PreferenceChoice.Kto => Beta is { } beta ? PreferenceMethod.Kto(beta) : PreferenceMethod.Kto(),
        _ => Beta is { } beta ? PreferenceMethod.Dpo(beta, likelihoodWeight: LikelihoodWeight) : PreferenceMethod.Dpo(likelihoodWeight: LikelihoodWeight),
    };
}
