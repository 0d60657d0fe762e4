using MLNetExtension;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Training.Accumulation;
using Samples.Errors;
using Samples.Text;

namespace Samples.Comparison;

/// <summary>The order of a batch's rows before they are split into micro-batches.</summary>
internal enum BatchOrder
{
    /// <summary>The shuffled order.</summary>
    Random,

    /// <summary>Longest first, as trainers sort rows to save padding. The micro-batches then differ most in their number of target tokens.</summary>
    Length,
}

/// <summary>The floating-point type that a comparison computes in.</summary>
internal enum ComparisonPrecision
{
    /// <summary>float64: exact methods agree to about 1e-15.</summary>
    Float64,

    /// <summary>float32: exact methods agree to about 1e-7.</summary>
    Float32,
}

/// <summary>What <c>compare-accumulation</c> compares. The optimizer is AdamW at a constant learning rate, without clipping: clipping would hide the length of the gradients.</summary>
internal sealed record ComparisonSettings
{
    /// <summary>The user's rows; null for the API documentation of the SDK.</summary>
    public string? DataFile { get; init; }

    /// <summary>The columns of <see cref="DataFile"/>.</summary>
    public RowColumns Columns { get; init; } = new();

    /// <summary>Folder for the page.</summary>
    public string OutputFolder { get; init; } = Path.Combine("artifacts", "compare-accumulation");

    /// <summary>Number of transformer blocks. Default 2.</summary>
    public int Layers { get; init; } = 2;

    /// <summary>Attention heads of a block. Default 2; divides <see cref="Width"/>.</summary>
    public int Heads { get; init; } = 2;

    /// <summary>Length of a hidden state. Default 64.</summary>
    public int Width { get; init; } = 64;

    /// <summary>Maximum tokens of a row; a longer row is truncated. Default 160.</summary>
    public int Context { get; init; } = 160;

    /// <summary>The splits of a batch, all of the same number of rows. Default 1x16, 2x8, 4x4, 16x1; at least one.</summary>
    public IReadOnlyList<BatchSplit> Splits { get; init; } = [new(1, 16), new(2, 8), new(4, 4), new(16, 1)];

    /// <summary>The normalizations that each split is trained with. Default all three; at least one.</summary>
    public IReadOnlyList<LossNormalization> Normalizations { get; init; } = [LossNormalization.Token, LossNormalization.MicroBatchMean, LossNormalization.Sum];

    /// <summary>Order of the rows of a batch. Default <see cref="BatchOrder.Random"/>.</summary>
    public BatchOrder Order { get; init; } = BatchOrder.Random;

    /// <summary>Type of weights, gradients and optimizer state. Default <see cref="ComparisonPrecision.Float64"/>, which tells exact from nearly exact.</summary>
    public ComparisonPrecision Precision { get; init; } = ComparisonPrecision.Float64;

    /// <summary>Optimizer steps of each run. Default 40, at least 1.</summary>
    public int Steps { get; init; } = 40;

    /// <summary>Learning rate of every step. Default 1e-3, above 0.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Seed of the weights and of the order of rows. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Rows of a batch.</summary>
    public int BatchSize => (int)Splits[0].Rows;

    /// <summary>Checks what is compared.</summary>
    /// <exception cref="ArgumentException">A setting is out of its range, or the splits are not of one batch; the message names setting, value and range.</exception>
    public void Validate()
    {
        Require(Splits.Count > 0, nameof(Splits), "empty", "at least one split");
        foreach (BatchSplit split in Splits)
        {
            Require(split is { MicroBatches: > 0, RowsPerMicroBatch: > 0, Rows: <= int.MaxValue }, nameof(Splits), split, "two whole numbers of at least 1, such as 4x4");
            Require(split.Rows == Splits[0].Rows, nameof(Splits), string.Join(", ", Splits), $"splits of one batch: {Splits[0]} has {Splits[0].Rows} rows, {split} has {split.Rows}");
        }
        Require(Normalizations.Count > 0 && Normalizations.All(Enum.IsDefined), nameof(Normalizations), string.Join(", ", Normalizations), "at least one of " + string.Join(", ", Enum.GetNames<LossNormalization>()));
        Require(Enum.IsDefined(Order), nameof(Order), Order, string.Join(", ", Enum.GetNames<BatchOrder>()));
        Require(Enum.IsDefined(Precision), nameof(Precision), Precision, string.Join(", ", Enum.GetNames<ComparisonPrecision>()));
        Require(Steps >= 1, nameof(Steps), Steps, "at least 1");
        Require(LearningRate > 0 && double.IsFinite(LearningRate), nameof(LearningRate), LearningRate, "above 0");
    }

    /// <summary>Checks every setting and returns the model's sizes.</summary>
    /// <exception cref="UserErrorException">A setting is out of its range, or two do not go together.</exception>
    public Gpt2Configuration CreateModelConfiguration()
    {
        var network = new LanguageModel.Gpt2Network { Layers = Layers, Heads = Heads, Width = Width, ContextLength = Context };
        try
        {
            network.Validate("Model");
            Validate();
        }
        catch (ArgumentException e)
        {
            throw UserErrorException.From(e);
        }
        return network.ToConfiguration(new ByteLevelTokenizer().VocabularySize);
    }

    private static void Require(bool holds, string setting, object value, string allowed)
    {
        if (!holds)
            throw new ArgumentException(FormattableString.Invariant($"{setting} is {value}; allowed is {allowed}."), setting);
    }
}
