using MLNetExtension;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Training;
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

    /// <summary>The full batch in float64, every other run in float32: how right float32 is.</summary>
    Float32AgainstFloat64,
}

/// <summary>What <c>compare-accumulation</c> compares. The optimizer is AdamW at a constant learning rate.</summary>
internal sealed record ComparisonSettings
{
    /// <summary>The ids of the byte-level tokenizer, which encodes the rows.</summary>
    public static int BytesVocabulary { get; } = new ByteLevelTokenizer().VocabularySize;

    /// <summary>The user's rows; null for the API documentation of the SDK.</summary>
    public string? DataFile { get; set; }

    /// <summary>The columns of <see cref="DataFile"/>.</summary>
    public RowColumns Columns { get; set; } = new();

    /// <summary>Folder for the page.</summary>
    public string OutputFolder { get; set; } = Path.Combine("artifacts", "compare-accumulation");

    /// <summary>The sizes of the model. Default: 2 blocks with 2 heads, width 64, 160 tokens of context.</summary>
    public LanguageModel.Gpt2Network Network { get; set; } = new() { Layers = 2, Heads = 2, Width = 64, ContextLength = 160 };

    /// <summary>V, the rows of the embedding. Default: the ids of the bytes, and no fewer.</summary>
    public int Vocabulary { get; set; } = BytesVocabulary;

    /// <summary>L2 norm that a longer gradient is clipped to. Default 0, no clipping: it would hide the length of the gradients.</summary>
    public double MaximumGradientNorm { get; set; }

    /// <summary>The splits of a batch, all of the same number of rows. Default 1x16, 2x8, 4x4, 16x1; at least one.</summary>
    public IReadOnlyList<BatchSplit> Splits { get; set; } = [new(1, 16), new(2, 8), new(4, 4), new(16, 1)];

    /// <summary>The normalizations that each split is trained with. Default all three; at least one.</summary>
    public IReadOnlyList<LossNormalization> Normalizations { get; set; } = [LossNormalization.Token, LossNormalization.MicroBatchMean, LossNormalization.Sum];

    /// <summary>Order of the rows of a batch. Default <see cref="BatchOrder.Random"/>.</summary>
    public BatchOrder Order { get; set; } = BatchOrder.Random;

    /// <summary>Type of weights, gradients and optimizer state. Default <see cref="ComparisonPrecision.Float64"/>, which tells exact from nearly exact.</summary>
    public ComparisonPrecision Precision { get; set; } = ComparisonPrecision.Float64;

    /// <summary>Optimizer steps of each run. Default 40, at least 1.</summary>
    public int Steps { get; set; } = 40;

    /// <summary>Learning rate of every step. Default 1e-3, above 0.</summary>
    public double LearningRate { get; set; } = 1e-3;

    /// <summary>Processes among which the micro-batches of a batch are divided in a run of its own for each normalization and split. Default: null, there are no such runs.</summary>
    public RankOptions? Ranks { get; set; }

    /// <summary>Seed of the weights and of the order of rows. Default 1.</summary>
    public int Seed { get; set; } = 1;

    /// <summary>Rows of a batch.</summary>
    public int BatchSize => (int)Splits[0].Rows;

    /// <summary>Checks what is compared.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A setting is out of its range, or the splits are not of one batch; the message names setting, value and range.</exception>
    public void Validate()
    {
        Require.That(Splits.Count > 0, "empty", "at least one split", option: nameof(Splits));
        foreach (BatchSplit split in Splits)
        {
            Require.That(split is { MicroBatches: > 0, RowsPerMicroBatch: > 0, Rows: <= int.MaxValue }, split, "two whole numbers of at least 1, such as 4x4", option: nameof(Splits));
            Require.That(split.Rows == Splits[0].Rows, string.Join(", ", Splits), $"splits of one batch: {Splits[0]} has {Splits[0].Rows} rows, {split} has {split.Rows}", option: nameof(Splits));
        }
        Require.That(Normalizations.Count > 0, "empty", "at least one normalization", option: nameof(Normalizations));
        foreach (LossNormalization normalization in Normalizations)
            Require.Defined(normalization, option: nameof(Normalizations));
        Require.Defined(Order);
        Require.Defined(Precision);
        Require.That(Steps >= 1, Steps, "at least 1");
        Require.That(Vocabulary >= BytesVocabulary, Vocabulary, $"at least {BytesVocabulary}");
        Require.That(MaximumGradientNorm >= 0, MaximumGradientNorm, "at least 0");
        Require.That(LearningRate > 0 && double.IsFinite(LearningRate), LearningRate, "above 0");
    }

    /// <summary>Checks every setting and returns the model's sizes.</summary>
    /// <exception cref="UserErrorException">A setting is out of its range, or two do not go together.</exception>
    public Gpt2Configuration CreateModelConfiguration()
    {
        try
        {
            Network.Validate("Model");
            Validate();
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw UserErrorException.From(e);
        }
        return Network.ToConfiguration(Vocabulary);
    }
}
