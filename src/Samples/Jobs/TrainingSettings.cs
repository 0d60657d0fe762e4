using MLNetExtension;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>The settings that <c>train</c> and <c>finetune</c> share.</summary>
internal sealed record TrainingSettings
{
    /// <summary>The user's rows; null for the API documentation of the SDK, which only <c>train</c> offers.</summary>
    public required string? DataFile { get; init; }

    /// <summary>The columns of <see cref="DataFile"/>.</summary>
    public RowColumns Columns { get; init; } = new();

    /// <summary>Maximum optimizer steps; null for no limit.</summary>
    public int? Steps { get; init; }

    /// <summary>Maximum passes over the rows; null for no limit.</summary>
    public int? Epochs { get; init; }

    /// <summary>Maximum minutes of training; null for no limit.</summary>
    public double? Minutes { get; init; }

    /// <summary>Rows of an optimizer step.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Maximum tokens of a micro-batch; null for the fastest.</summary>
    public int? MicroBatchTokens { get; init; }

    /// <summary>Maximum tokens of a row; a longer row is truncated.</summary>
    public required int Context { get; init; }

    /// <summary>The learning rate after the warmup; it falls to a tenth.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Where to train.</summary>
    public DeviceChoice Device { get; init; }

    /// <summary>Seed of the split, the weights, the order of rows and the samples.</summary>
    public required int Seed { get; init; }

    /// <summary>Maximum held-out rows to evaluate on.</summary>
    public required int EvaluationRows { get; init; }

    /// <summary>The folder to write to.</summary>
    public required string OutputFolder { get; init; }

    /// <summary>Trainer options with these settings; the recipe sets the model and what else is its own.</summary>
    /// <param name="kind">The kind of the rows, which decides the columns.</param>
    /// <param name="warmupSteps">Steps of the warmup; a tenth of <see cref="Steps"/> if that is less.</param>
    public CausalLanguageModelTrainer.Options CreateOptions(RowKind kind, int warmupSteps) => new()
    {
        Columns = kind switch
        {
            RowKind.Prompts => InputColumns.PromptCompletion(nameof(PromptRow.Prompt), nameof(PromptRow.Completion)),
            RowKind.Chats => InputColumns.Chat(nameof(ChatRow.Messages)),
            _ => InputColumns.Text(nameof(TextRow.Text)),
        },
        BatchSize = BatchSize,
        Batching = new() { MaximumTokensPerMicroBatch = MicroBatchTokens },
        LearningRate = LearningRate,
        Schedule = new() { WarmupSteps = Steps is { } steps ? Math.Min(warmupSteps, steps / 10) : warmupSteps },
        MaximumSteps = Steps,
        MaximumEpochs = Epochs,
        MaximumDuration = Minutes is { } minutes ? TimeSpan.FromMinutes(minutes) : null,
        Seed = Seed,
    };
}
