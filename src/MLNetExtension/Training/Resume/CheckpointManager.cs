using System.Text.Json;
using MLNetExtension.Safetensors;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Resume;

/// <summary>Saves a training run to a folder every so many steps and resumes it from there after an interruption.</summary>
/// <remarks>A checkpoint holds the weights and AdamW's moments in full precision, the counts, and the best evaluation. The order of the rows, the schedule and dropout are functions of seed and step.
/// A resumed run equals an uninterrupted one bit for bit where <see cref="BatchingOptions.MaximumTokensPerMicroBatch"/> is set and steps or epochs are the limit.</remarks>
internal sealed class CheckpointManager
{
    private const string StateFile = "state.json", TensorsFile = "tensors.safetensors";
    private const string Weights = "weights", FirstMoment = "first_moment", SecondMoment = "second_moment", Best = "best_weights";

    // Settings of earlier checkpoints that no longer count: a run that has reached a limit can be extended.
    private static readonly string[] Limits = ["MaximumSteps", "MaximumEpochs", "MaximumDuration"];

    private readonly CheckpointFolder _folder;
    private readonly int _interval;
    private readonly IReadOnlyDictionary<string, string> _settings;
    private readonly CheckpointMetadata? _latest;
    private int? _lastWritten;

    private CheckpointManager(CheckpointFolder folder, int interval, IReadOnlyDictionary<string, string> settings, CheckpointMetadata? latest) =>
        (_folder, _interval, _settings, _latest, _lastWritten) = (folder, interval, settings, latest, latest?.Steps);

    /// <summary>Optimizer steps taken at the newest complete checkpoint of the folder; null where there is none and training starts from the beginning.</summary>
    public int? LatestStep => _latest?.Steps;

    /// <summary>Opens a folder of checkpoints.</summary>
    /// <param name="folder">Created if it is missing.</param>
    /// <param name="interval">Optimizer steps between two checkpoints, at least 1.</param>
    /// <param name="settings">Settings and data, by name, that must be the same for a run to be resumed.</param>
    /// <exception cref="InvalidOperationException">The folder holds checkpoints of a run with other settings.</exception>
    /// <exception cref="InvalidDataException">The newest checkpoint is damaged.</exception>
    /// <exception cref="NotSupportedException">A later version of this library wrote it.</exception>
    public static CheckpointManager Open(string folder, int interval, IReadOnlyDictionary<string, string> settings)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentOutOfRangeException.ThrowIfLessThan(interval, 1);
        ArgumentNullException.ThrowIfNull(settings);
        CheckpointFolder checkpoints = new(folder);
        CheckpointMetadata? latest = checkpoints.FindNewest() is { } step ? ReadMetadata(checkpoints, step) : null;
        if (latest?.FormatVersion > CheckpointMetadata.CurrentVersion)
            throw new NotSupportedException($"The checkpoints in '{folder}' have format {latest.FormatVersion}; this version of MLNetExtension reads formats up to {CheckpointMetadata.CurrentVersion}.");
        if (latest is not null)
            CheckSettings(folder, latest.Settings, settings);
        return new CheckpointManager(checkpoints, interval, settings, latest);
    }

    /// <summary>Restores the newest checkpoint; does nothing where there is none.</summary>
    /// <param name="step">Receives weights and optimizer state.</param>
    /// <param name="progress">Receives the counts.</param>
    /// <param name="best">Receives the best evaluation and its weights.</param>
    public void Restore(TrainingStep step, TrainingProgress progress, BestWeights best)
    {
        if (_latest is null)
            return;
        progress.Resume(_latest.Steps, _latest.Elapsed, _latest.TargetTokens);
        using var scope = NewDisposeScope();
        Tensor? bestWeights = _latest.Best?.Loss is null ? null : empty_like(step.Parameters.Values, device: CPU);
        using (NamedTensors tensors = new(NameTensors(step, bestWeights)))
            _folder.Read(_latest.Steps, TensorsFile, (stream, length) => ModuleWeights.Load(tensors, stream, length));
        step.Parameters.PublishValues();
        step.Optimizer.Restore(_latest.Updates, step.Optimizer.First, step.Optimizer.Second);
        if (_latest.Best is { } evaluation)
            best.Resume(evaluation.Loss ?? double.PositiveInfinity, evaluation.Step, evaluation.LastStep, evaluation.WithoutImprovement, bestWeights);
    }

    /// <summary>Whether a checkpoint is due after this many steps.</summary>
    public bool IsDue(int steps) => steps % _interval == 0;

    /// <summary>Writes a checkpoint, unless this step has one.</summary>
    /// <param name="step">Holds weights and optimizer state.</param>
    /// <param name="progress">Holds the counts.</param>
    /// <param name="elapsed">Time spent training.</param>
    /// <param name="best">Holds the best evaluation and its weights.</param>
    public void Write(TrainingStep step, TrainingProgress progress, TimeSpan elapsed, BestWeights best)
    {
        int steps = progress.Steps;
        if (_lastWritten == steps)
            return;
        CheckpointMetadata.BestEvaluation? evaluation = best.LastStep < 0 ? null
            : new CheckpointMetadata.BestEvaluation(best.Values is null ? null : best.Loss, best.Step, best.LastStep, best.WithoutImprovement);
        CheckpointMetadata metadata = new(CheckpointMetadata.CurrentVersion, _settings, steps, step.Optimizer.Steps, elapsed, progress.TargetTokens, evaluation);
        using NamedTensors tensors = new(NameTensors(step, best.Values));
        _folder.Write(steps, [(TensorsFile, stream => ModuleWeights.Save(tensors, stream)), (StateFile, stream => JsonSerializer.Serialize(stream, metadata))]);
        _lastWritten = steps;
    }

    private static CheckpointMetadata ReadMetadata(CheckpointFolder folder, int step)
    {
        CheckpointMetadata? metadata = null;
        folder.Read(step, StateFile, (stream, _) => metadata = JsonSerializer.Deserialize<CheckpointMetadata>(stream) ?? throw new InvalidDataException("it is null."));
        return metadata!;
    }

    private static IEnumerable<(string Name, Tensor Tensor)> NameTensors(TrainingStep step, Tensor? bestWeights)
    {
        yield return (Weights, step.Parameters.Values);
        yield return (FirstMoment, step.Optimizer.First);
        yield return (SecondMoment, step.Optimizer.Second);
        if (bestWeights is not null)
            yield return (Best, bestWeights);
    }

    private static void CheckSettings(string folder, IReadOnlyDictionary<string, string> found, IReadOnlyDictionary<string, string> settings)
    {
        foreach (string name in settings.Keys.Union(found.Keys).Except(Limits).Order(StringComparer.Ordinal))
        {
            string before = found.GetValueOrDefault(name, "not set"), now = settings.GetValueOrDefault(name, "not set");
            if (before != now)
                throw new InvalidOperationException($"The checkpoints in '{folder}' belong to another training run: {name} is {before} there and {now} here. "
                    + "Use the same settings and data to resume, or another folder to start from the beginning.");
        }
    }
}
