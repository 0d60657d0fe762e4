using MLNetExtension;
using MLNetExtension.Training.Accumulation;
using Samples.Commands;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>What the user asked <c>train</c> to do.</summary>
internal sealed record TrainSettings
{
    public required string? DataFile { get; init; }
    public required RowColumns Columns { get; init; }
    public required double? Minutes { get; init; }
    public required int? Steps { get; init; }
    public required int BatchSize { get; init; }
    public required int? MicroBatchTokens { get; init; }
    public required LossNormalization LossNormalization { get; init; }
    public required DeviceChoice Device { get; init; }
    public required int Seed { get; init; }
    public required int Layers { get; init; }
    public required int Heads { get; init; }
    public required int Width { get; init; }
    public required int Context { get; init; }
    public required double LearningRate { get; init; }
    public required int EvaluationRows { get; init; }
    public required string OutputFolder { get; init; }

    /// <summary>The trainer's options, checked.</summary>
    /// <param name="hasPrompts">Whether there are prompts and completions, or texts.</param>
    /// <exception cref="UserErrorException">Two settings do not go together.</exception>
    public CausalLanguageModelTrainer.Options ToOptions(bool hasPrompts)
    {
        var options = new CausalLanguageModelTrainer.Options
        {
            Layers = Layers,
            Heads = Heads,
            Width = Width,
            ContextLength = Context,
            BatchSize = BatchSize,
            MaximumTokensPerMicroBatch = MicroBatchTokens,
            LossNormalization = LossNormalization,
            LearningRate = LearningRate,
            MinimumLearningRate = LearningRate / 10,
            WarmupSteps = Steps is { } steps ? Math.Min(50, steps / 10) : 50,
            MaximumSteps = Steps,
            MaximumDuration = Minutes is { } minutes ? TimeSpan.FromMinutes(minutes) : null,
            Seed = Seed,
        };
        if (hasPrompts)
            (options.PromptColumnName, options.CompletionColumnName) = (nameof(PromptRow.Prompt), nameof(PromptRow.Completion));
        else
            options.TextColumnName = nameof(TextRow.Text);
        try
        {
            options.Validate();
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new UserErrorException(e.Message.Split(" (Parameter")[0]);
        }
        return options;
    }

    public SettingsReport ToReport() => new(Layers, Heads, Width, Context, BatchSize, MicroBatchTokens, LossNormalization, LearningRate, Seed, Device.ToString());
}
