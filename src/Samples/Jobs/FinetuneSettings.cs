using MLNetExtension;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training;
using Samples.Commands;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>What the user asked <c>finetune</c> to do.</summary>
internal sealed record FinetuneSettings
{
    public required string BaseFolder { get; init; }
    public required string DataFile { get; init; }
    public required RowColumns Columns { get; init; }

    /// <summary>Null where all weights are trained.</summary>
    public required LoraOptions? Lora { get; init; }
    public required int? Steps { get; init; }
    public required int? Epochs { get; init; }
    public required double? Minutes { get; init; }
    public required int BatchSize { get; init; }
    public required int? MicroBatchTokens { get; init; }
    public required int Context { get; init; }
    public required ComputePrecision Precision { get; init; }
    public required double LearningRate { get; init; }
    public required DeviceChoice Device { get; init; }
    public required int Seed { get; init; }
    public required int EvaluationRows { get; init; }
    public required string OutputFolder { get; init; }

    /// <summary>The trainer's options.</summary>
    public CausalLanguageModelTrainer.Options ToOptions(RowKind kind)
    {
        var options = new CausalLanguageModelTrainer.Options
        {
            PretrainedFolder = BaseFolder,
            Lora = Lora,
            ContextLength = Context,
            BatchSize = BatchSize,
            MaximumTokensPerMicroBatch = MicroBatchTokens,
            ComputePrecision = Precision,
            LearningRate = LearningRate,
            MinimumLearningRate = LearningRate / 10,
            WarmupSteps = Steps is { } steps ? Math.Min(20, steps / 10) : 20,
            WeightDecay = 0.01,
            MaximumSteps = Steps,
            MaximumEpochs = Epochs,
            MaximumDuration = Minutes is { } minutes ? TimeSpan.FromMinutes(minutes) : null,
            Seed = Seed,
        };
        if (kind == RowKind.Prompts)
            (options.PromptColumnName, options.CompletionColumnName) = (nameof(PromptRow.Prompt), nameof(PromptRow.Completion));
        else if (kind == RowKind.Chats)
            options.MessagesColumnName = nameof(ChatRow.Messages);
        else
            options.TextColumnName = nameof(TextRow.Text);
        return options;
    }

    public FinetuneSettingsReport ToReport() =>
        new(BaseFolder, Lora?.Rank, Lora?.Alpha, Lora?.TargetModules, Context, BatchSize, MicroBatchTokens, Precision.ToString(), LearningRate, Seed, Device.ToString());
}
