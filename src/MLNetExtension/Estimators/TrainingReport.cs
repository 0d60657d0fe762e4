using System.Globalization;
using Microsoft.ML.Runtime;
using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Training;
using static TorchSharp.torch;

namespace MLNetExtension.Estimators;

/// <summary>Writes the lines about a training that users read in <c>MLContext.Log</c>.</summary>
internal sealed class TrainingReport(IChannel channel, CausalLanguageModelTrainer.Options options)
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;
    private int _tokensPerMicroBatch;

    /// <summary>Says what is trained on what, and which rows are not learnt whole.</summary>
    public void Start(Device device, Gpt2 network, RowReaderResult rows)
    {
        long parameters = network.parameters().Sum(parameter => parameter.NumberOfElements);
        var size = network.Configuration;
        Info(string.Create(Invariant, $"Training on {device} in float32: {parameters:N0} parameters ({size.Layers} layers of width {size.Width}, context of {size.ContextLength} tokens); "
            + $"{rows.Rows:N0} rows, {rows.TargetTokens:N0} target tokens."));
        if (rows.Truncated > 0)
            Warning(string.Create(Invariant, $"{rows.Truncated:N0} of {rows.Rows:N0} rows are cut at {size.ContextLength} tokens (option ContextLength)."));
        if (rows.WithoutTargets > 0)
            Warning(string.Create(Invariant, $"{rows.WithoutTargets:N0} of {rows.Rows:N0} rows are skipped: they have no target token, because the prompt alone fills the context."));
    }

    /// <summary>Passes a step on, and writes a line where one is due.</summary>
    public void Step(StepReport step)
    {
        options.Progress?.Report(step);
        if (step.Outcome == StepOutcome.NonFinite)
            Warning(string.Create(Invariant, $"Step {step.Step}: loss or gradient is not finite; the step is not applied. Its rows: {string.Join(", ", step.ExamplePositions)}."));
        if (step.TokensPerMicroBatch < _tokensPerMicroBatch)
            Warning(string.Create(Invariant, $"Step {step.Step}: memory ran out; micro-batches now hold at most {step.TokensPerMicroBatch:N0} tokens. The result is the same."));
        else if (_tokensPerMicroBatch == 0)
            Info(string.Create(Invariant, $"Micro-batches hold at most {step.TokensPerMicroBatch:N0} tokens."));
        _tokensPerMicroBatch = step.TokensPerMicroBatch;
        if (step.Step % options.ReportInterval == 0)
            Info(string.Create(Invariant, $"Step {step.Step} of epoch {step.Epoch}, {step.Progress:P0} done: loss {step.Loss:F4} nats per token, learning rate {step.LearningRate:G3}, "
                + $"gradient norm {step.GradientNorm:G3}, {step.TokensPerSecond:N0} target tokens per second, {Left(step)}."));
    }

    /// <summary>Says what the training came to.</summary>
    public void End(TrainingSummary summary)
    {
        double seconds = summary.Elapsed.TotalSeconds;
        Info(string.Create(Invariant, $"Trained {summary.Steps} steps of {summary.Epochs} epochs, {summary.TargetTokens:N0} target tokens in {seconds:F1} seconds; "
            + $"last loss {summary.LastLoss:F4} nats per token."));
        if (summary.StoppedByNonFiniteSteps)
            Warning(string.Create(Invariant, $"Training stopped early: {options.MaximumNonFiniteSteps} steps in a row were not finite. The model is that of the last finite step."));
    }

    public static string NothingToLearn(RowReaderResult rows, CausalLanguageModelTrainer.Options options)
    {
        string columns = string.Join(" and ", options.Inputs.Roles.Select(column => $"'{column.Name}'"));
        return rows.Rows == 0
            ? $"There is nothing to learn: the training data has no rows (columns {columns})."
            : string.Create(Invariant, $"There is nothing to learn: none of the {rows.Rows} rows of columns {columns} has a target token within {options.ContextLength} tokens.");
    }

    private static string Left(StepReport step) =>
        step.Remaining is { } left ? string.Create(Invariant, $"{left.TotalSeconds:F0} seconds left") : "time left unknown";

    private void Info(string line) => channel.Info(MessageSensitivity.None, line);

    private void Warning(string line) => channel.Warning(MessageSensitivity.None, line);
}
