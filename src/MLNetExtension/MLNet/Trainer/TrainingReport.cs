using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetExtension.Data.Store;
using MLNetExtension.Losses;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Splitting;
using static TorchSharp.torch;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>Writes what users read about a training in <c>MLContext.Log</c>.</summary>
/// <param name="channel">Receives it.</param>
/// <param name="options">The trainer's options.</param>
/// <param name="isSilent">Whether nothing is written: the first rank speaks for all.</param>
internal sealed class TrainingReport(IChannel channel, CausalLanguageModelTrainer.Options options, bool isSilent = false)
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;
    private double _bestLoss = double.PositiveInfinity;
    private int _lastApplied;

    /// <summary>Says what is trained on what, and which rows are truncated or left out.</summary>
    public void Start(Device device, CausalLanguageModel network, int contextLength, RowReaderResult rows, RowReaderResult? validation)
    {
        long parameters = network.parameters().Sum(parameter => parameter.NumberOfElements);
        long trained = network.parameters().Where(parameter => parameter.requires_grad).Sum(parameter => parameter.NumberOfElements);
        string precision = options.Batching.Precision == ComputePrecision.Float32 ? "float32" : $"{options.Batching.Precision.ToString().ToLowerInvariant()} with weights in float32";
        if (options.Adapters is { BasePrecision: not BasePrecision.Computation and var stored })
            precision += $", frozen weights in {stored.ToString().ToLowerInvariant()}";
        Info(string.Create(Invariant, $"Training on {device} in {precision}: {parameters:N0} parameters{(trained == parameters ? "" : $", {trained:N0} of them trained")} "
            + $"({Describe(network)}, context of {contextLength} tokens); "
            + $"{rows.Counts.Rows:N0} rows, {rows.Counts.TargetTokens:N0} target tokens."));
        Info(string.Create(Invariant, $"Learning rate {options.LearningRate:G3} after the warm-up; {options.Optimizer.Describe()}."));
        foreach (string line in options.Regularization.Describe())
            Info(line);
        if (options.Loss.Kind != LossKind.CrossEntropy)
            Info($"What is minimized: {options.Loss.Kind.Describe()}; evaluations measure the cross entropy.");
        if (options.Preference is { } method)
            Info($"Preferences by {method}{(!method.NeedsReference ? "" : options.Columns is InputColumns.PairColumns { HaveReference: true } ? "; the reference is what columns say" : "; the reference is the model that training starts from")}.");
        WarnOfIncomplete(rows.Counts, contextLength, "rows");
        if (validation is not null)
        {
            string heldOut = options.Validation!.Fraction is { } fraction ? string.Create(Invariant, $" held out of the training data (Validation.Fraction is {fraction})") : "";
            Info(string.Create(Invariant, $"Validating every {options.Validation.Interval} on {validation.Counts.Rows:N0} rows{heldOut}, {validation.Counts.TargetTokens:N0} target tokens; ")
                + (options.Validation.Patience is > 0 and var patience ? $"training stops after {patience} evaluations without a lower loss." : "the best weights are kept."));
            WarnOfIncomplete(validation.Counts, contextLength, "validation rows");
        }
        Info($"Packages: MLNetExtension {VersionOf<TrainingReport>()}, Microsoft.ML {VersionOf<MLContext>()}, TorchSharp {TorchSetup.TorchSharpVersion} on libtorch {__version__}.");
    }

    /// <summary>Says how the tokenizer was read, where that is worth knowing.</summary>
    public void Describe(IReadOnlyList<string> notes)
    {
        foreach (string note in notes)
            Info(note);
    }

    /// <summary>Says how far reading the rows has come.</summary>
    public void Read(long rows, TimeSpan elapsed) =>
        Info(string.Create(Invariant, $"{rows:N0} rows are read, {rows / elapsed.TotalSeconds:N0} a second."));

    /// <summary>Says from where training resumes.</summary>
    public void Resume(int step) => Info(string.Create(Invariant, $"Training resumes after step {step}, from the checkpoint in '{options.Checkpoints!.Folder}'."));

    /// <summary>Passes a step on, and writes a line where one is due.</summary>
    public void Step(StepReport step)
    {
        options.Progress?.Report(step);
        if (step.Outcome == StepOutcome.Applied)
            _lastApplied = step.Step;
        if (step.Outcome == StepOutcome.NonFinite)
            Warning(string.Create(Invariant, $"Step {step.Step}: loss, gradient or new weights are not finite; the step is not applied. Its rows: {string.Join(", ", step.ExamplePositions)}."));
        if (step.Step % options.ReportInterval == 0)
            Info(string.Create(Invariant, $"Step {step.Step} of epoch {step.Epoch}, {step.Progress:P0} done: loss {step.Loss:F4} {Unit}, {Rewards(step)}learning rate {step.LearningRate:G3}, "
                + $"gradient norm {step.GradientNorm:G3}, {step.TokensPerSecond:N0} target tokens per second, {Left(step)}."));
        if (step.ValidationLoss is { } loss)
            ReportValidation(step.Step, loss);
    }

    /// <summary>Says how batches are split, and why.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="choice">What trials found; null where there were none.</param>
    public void Split(SplitPlan plan, SplitChoice? choice)
    {
        string how = string.Create(Invariant, $"Micro-batches hold at most {plan.Tokens:N0} tokens{(plan.Workers == 1 ? "" : $"; {plan.Workers} of them are computed side by side")}");
        if (choice is null)
        {
            Info($"{how}.");
            return;
        }
        (MeasuredPlan chosen, MeasuredPlan fastest) = (choice.Chosen, choice.Fastest);
        string why = string.Create(Invariant, $"of {choice.Tried} splits tried in {choice.Steps} steps, ") + (fastest == chosen
            ? "the fastest"
            : string.Create(Invariant, $"the fastest that is worth its memory ({fastest.Plan.Tokens:N0} tokens by {(fastest.Plan.Workers == 1 ? "one worker" : $"{fastest.Plan.Workers} workers")} would be {chosen.SecondsPerPosition / fastest.SecondsPerPosition - 1:P0} faster ")
                + string.Create(Invariant, $"and take {fastest.FootprintMiB - chosen.FootprintMiB:N0} MiB more)"));
        Info(string.Create(Invariant, $"{how}: {why}; {1 / chosen.SecondsPerPosition:N0} tokens per second, {chosen.FootprintMiB:N0} MiB for the training."));
    }

    /// <summary>Says how many ranks train together.</summary>
    /// <param name="ranks">The ranks; nothing is said of one alone.</param>
    /// <param name="onGpu">Whether the model is in a GPU's memory.</param>
    public void Describe(RankSetup ranks, bool onGpu)
    {
        IRankGroup group = ranks.Group;
        if (group.Size == 1)
            return;
        string machine = group.LocalSize == group.Size ? "all on this machine" : $"{group.LocalSize} on this machine";
        string optimizer = ranks.ShardsOptimizer ? "each has its share of the optimizer's state" : "each has the whole state of the optimizer";
        Info($"{group.Size} ranks ({machine}) compute each batch together, {group.Threads} {(group.Threads == 1 ? "thread" : "threads")} in this one; {optimizer}.");
        if (onGpu && group.CopiesThroughHost)
            Info("Gradients and weights go through the host's memory on their way between ranks.");
    }

    /// <summary>Warns that a batch did not fit into memory, and says what was changed so that it did.</summary>
    /// <param name="step">The step of the batch, from 1.</param>
    /// <param name="before">The plan that the batch began with.</param>
    /// <param name="after">The plan by which it was computed, and later ones are.</param>
    public void OutOfMemory(int step, SplitPlan before, SplitPlan after)
    {
        List<string> changes = [];
        if (after.Tokens != before.Tokens)
            changes.Add(string.Create(Invariant, $"micro-batches hold at most {after.Tokens:N0} tokens instead of {before.Tokens:N0}"));
        if (after.Workers != before.Workers)
            changes.Add($"the number of workers is {after.Workers} instead of {before.Workers}");
        Warning($"Step {step}: memory ran out; {string.Join(" and ", changes)} from now on. The result is the same.");
    }

    /// <summary>Says that the training was stopped before it began.</summary>
    public void StopWhileReading() => Warning("Training was stopped as requested, while rows were read; the model is as it was initialized.");

    /// <summary>Passes a warning on.</summary>
    public void Warn(string line) => Warning(line);

    /// <summary>Says how the training ended.</summary>
    public void End(TrainingSummary summary)
    {
        double seconds = summary.Elapsed.TotalSeconds;
        Info(string.Create(Invariant, $"Trained {summary.Steps} steps of {summary.Epochs} epochs, {summary.TargetTokens:N0} target tokens in {seconds:F1} seconds; "
            + $"last loss {summary.LastLoss:F4} {Unit}."));
        if (summary.End == StopReason.Requested)
            Info("Training was stopped as requested; the model is the one trained so far.");
        if (summary.End == StopReason.NoImprovement)
            Info($"Training was stopped: {options.Validation!.Patience} evaluations in a row had no lower validation loss.");
        if (summary.ValidationLoss is { } loss)
            Info(string.Create(Invariant, $"The model has the {(summary.HasAveragedWeights ? "averaged " : "")}weights of step {summary.BestStep}, whose validation loss was the lowest: {loss:F4} {Unit}."));
        else if (summary.HasAveragedWeights)
            Info(string.Create(Invariant, $"The model has averaged weights, of {summary.AveragedSteps:N0} steps."));
        if (summary.StoppedByNonFiniteSteps)
            Warning(string.Create(Invariant, $"Training stopped early: {options.MaximumNonFiniteSteps} steps in a row were not finite."));
        if (summary.BestStep is null && (summary.StoppedByNonFiniteSteps || summary.WeightsStep < _lastApplied))
        {
            string weights = summary.WeightsStep == 0 ? "that training began with" : string.Create(Invariant, $"of step {summary.WeightsStep}");
            Warning($"The model has the weights {weights}: no later step gave weights with which a finite loss could be computed.");
        }
    }

    /// <summary>Says that no row can be trained or evaluated on, and why.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="what">What the rows are, as in "The training data".</param>
    /// <param name="options">The trainer's options.</param>
    public static string DescribeNoTargets(RowReaderResult rows, string what, CausalLanguageModelTrainer.Options options)
    {
        string columns = string.Join(" and ", options.Columns.Content.Select(column => $"'{column.Name}'"));
        string weighted = options.Columns.Weight is null ? "" : " and a weight above 0";
        return rows.Counts.Rows == 0
            ? $"{what} has no rows (columns {columns})."
            : string.Create(Invariant, $"{what} cannot be used: none of the {rows.Counts.Rows} rows of columns {columns} has a target token within {options.Model.ContextLength} tokens{weighted}.");
    }

    private string Unit => options.Preference is null ? "nats per token" : options.Preference.IsPaired ? "per pair" : "per row";

    private static string Rewards(StepReport step) =>
        step.Preference is not { } rewards ? "" : string.Create(Invariant, $"reward margin {rewards.RewardMargin:F3}, accuracy {rewards.Accuracy:P0}, ");

    private static string Describe(CausalLanguageModel network) =>
        network.Custom is { } custom ? $"custom model '{custom.Factory.Name}'" : $"{network.Blocks.Count} layers of width {network.TokenEmbedding.shape[1]}";

    private void ReportValidation(int step, double loss)
    {
        string verdict = loss < _bestLoss ? "the lowest so far" : string.Create(Invariant, $"the lowest was {_bestLoss:F4}");
        Info(string.Create(Invariant, $"Step {step}: validation loss {loss:F4} {Unit}, {verdict}."));
        _bestLoss = Math.Min(_bestLoss, double.IsNaN(loss) ? double.PositiveInfinity : loss);
    }

    private void WarnOfIncomplete(RowCounts rows, int contextLength, string what)
    {
        if (rows.Truncated > 0)
            Warning(string.Create(Invariant, $"{rows.Truncated:N0} of {rows.Rows:N0} {what} are truncated to {contextLength} tokens (option Model.ContextLength)."));
        if (rows.Split > 0)
            Info(string.Create(Invariant, $"{rows.Split:N0} of {rows.Rows:N0} {what} are longer than {contextLength} tokens and are split into {rows.Pieces:N0} (option LongRows)."));
        string reason = options.Columns switch
        {
            InputColumns.ChatColumn => "the assistant says nothing in them within the context",
            InputColumns.TokenIdsColumn => "they have no id that another one stands before",
            _ => "they have no target token, because the prompt alone fills the context",
        };
        if (rows.WithoutTargets > 0)
            Warning(string.Create(Invariant, $"{rows.WithoutTargets:N0} of {rows.Rows:N0} {what} are skipped: {reason}."));
        if (rows.WithoutWeight > 0)
            Info(string.Create(Invariant, $"{rows.WithoutWeight:N0} of {rows.Rows:N0} {what} are left out: their weight is 0 (column '{options.Columns.Weight}')."));
    }

    private static string VersionOf<T>() => TorchSetup.VersionOf(typeof(T).Assembly);

    private static string Left(StepReport step) =>
        step.Remaining is { } left ? string.Create(Invariant, $"{left.TotalSeconds:F0} seconds left") : "time left unknown";

    private void Info(string line)
    {
        if (!isSilent)
            channel.Info(MessageSensitivity.None, line);
    }

    private void Warning(string line)
    {
        if (!isSilent)
            channel.Warning(MessageSensitivity.None, line);
    }
}
