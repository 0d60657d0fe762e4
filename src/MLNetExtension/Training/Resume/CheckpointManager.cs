using System.Text.Json;
using MLNetExtension.Safetensors;
using MLNetExtension.Training.Averaging;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Resume;

/// <summary>Saves a training run to a folder every so many steps and resumes it from there after an interruption.</summary>
/// <remarks>A checkpoint holds the weights in full precision and the optimizer's state, the counts, the best evaluation, and the average of the weights. The order of the rows, the schedule and dropout are functions of seed and step.
/// A resumed run equals an uninterrupted one bit for bit where <see cref="BatchingOptions.MaximumTokensPerMicroBatch"/> is set and steps or epochs are the limit.</remarks>
internal sealed class CheckpointManager
{
    // Settings of earlier checkpoints that no longer count: a run that has reached a limit can be extended.
    private static readonly string[] Limits = ["MaximumSteps", "MaximumEpochs", "MaximumDuration"];

    private readonly CheckpointFolder? _folder;    // the first rank's alone
    private readonly IRankGroup _ranks;
    private readonly IReadOnlyDictionary<string, string> _settings;
    private readonly CheckpointMetadata? _latest;
    private int? _lastTried;

    /// <summary>Resumes from a folder of checkpoints, and writes to it.</summary>
    /// <param name="folder">The folder, which the caller disposes of after the training; counts on the first rank alone, which alone reads and writes.</param>
    /// <param name="interval">How often a checkpoint is due.</param>
    /// <param name="settings">Settings and data, by name, that must be the same for a run to be resumed.</param>
    /// <param name="ranks">The ranks that train together, each with a manager. Default: this process alone.</param>
    /// <param name="hints">For settings, by name, a sentence to say where they differ. Default: none.</param>
    /// <exception cref="InvalidOperationException">The folder holds checkpoints of a run with other settings.</exception>
    public CheckpointManager(
        CheckpointFolder? folder, TrainingInterval interval, IReadOnlyDictionary<string, string> settings, IRankGroup? ranks = null, IReadOnlyDictionary<string, string>? hints = null)
    {
        interval.Validate(nameof(CheckpointManager), nameof(interval));
        ArgumentNullException.ThrowIfNull(settings);
        (_folder, Interval, _settings, _ranks) = (folder, interval, settings, ranks ?? SingleRank.Instance);
        _latest = ShareState(folder?.NewestState);
        _lastTried = _latest?.Steps;
        if (_latest is not null && FindDifference(_latest) is { } difference)
            throw new InvalidOperationException($"The checkpoint '{_ranks.Broadcast(folder?.Newest!.Path ?? "")}' belongs to another training run: {difference.Description}. "
                + (hints?.GetValueOrDefault(difference.Name) is { } hint ? $"{hint} " : "") + "Use the same settings and data to resume, or another folder to start from the beginning.");
    }

    /// <summary>Optimizer steps taken at the newest whole checkpoint of the folder; null where there is none and training starts from the beginning.</summary>
    public int? LatestStep => _latest?.Steps;

    /// <summary>Restores the newest checkpoint; does nothing where there is none.</summary>
    /// <param name="step">Receives weights and optimizer state.</param>
    /// <param name="progress">Receives the counts.</param>
    /// <param name="best">Receives the best evaluation and its weights.</param>
    /// <param name="average">Receives the average of the weights; null where nothing does.</param>
    public void Restore(TrainingStep step, TrainingProgress progress, BestWeights best, WeightAverage? average = null)
    {
        if (_latest is null)
            return;
        progress.Resume(_latest.Steps, _latest.Elapsed, _latest.TargetTokens);
        using var scope = NewDisposeScope();
        Tensor? bestWeights = _latest.Best?.Loss is null ? null : empty_like(step.Parameters.Values, device: CPU);
        Tensor? averaged = _latest.Average is null ? null : empty_like(step.Parameters.Values);
        IReadOnlyList<(string Name, Tensor Tensor)> state = step.Optimizer.CreateWhole();
        _ranks.RunTogether(() => Read(NameTensors(step, state, bestWeights, averaged)));
        _ranks.Broadcast(step.Parameters.Values);
        step.Parameters.PublishValues();
        step.Optimizer.RestoreWhole(_latest.Updates, state, _ranks);
        if (bestWeights is not null)
            _ranks.Broadcast(bestWeights);
        if (_latest.Best is { } evaluation)
            best.Resume(evaluation.Loss ?? double.PositiveInfinity, evaluation.Step, evaluation.LastStep, evaluation.WithoutImprovement, bestWeights, evaluation.IsAveraged);
        if (averaged is null)
            return;
        _ranks.Broadcast(averaged);
        average?.Resume(_latest.Average!.Count, _latest.Average.LastStep, averaged);
    }

    /// <summary>How often a checkpoint is due.</summary>
    public TrainingInterval Interval { get; }

    /// <summary>Writes a checkpoint, unless this step has one; collective. One that cannot be written is a warning: the next is tried when it is due, and training goes on.</summary>
    /// <param name="step">Holds weights and optimizer state.</param>
    /// <param name="progress">Holds the counts.</param>
    /// <param name="elapsed">Time spent training.</param>
    /// <param name="best">Holds the best evaluation and its weights.</param>
    /// <param name="average">Holds the average of the weights; null where there is none.</param>
    /// <returns>Whether the first rank has written one.</returns>
    public bool Write(TrainingStep step, TrainingProgress progress, TimeSpan elapsed, BestWeights best, WeightAverage? average = null)
    {
        int steps = progress.Steps;
        if (_lastTried == steps)
            return false;
        _lastTried = steps;
        CheckpointMetadata.BestEvaluation? evaluation = best.LastStep < 0 ? null
            : new CheckpointMetadata.BestEvaluation(best.Values is null ? null : best.Loss, best.Step, best.LastStep, best.WithoutImprovement, best.AreAveraged);
        using var scope = NewDisposeScope();
        IReadOnlyList<(string Name, Tensor Tensor)> state = step.Optimizer.GatherState();
        CheckpointMetadata metadata = new(
            CheckpointMetadata.CurrentVersion, _settings, steps, step.Optimizer.Steps, [.. state.Select(part => part.Name)], elapsed, progress.TargetTokens, evaluation,
            average?.Values is null ? null : new CheckpointMetadata.AverageState(average.Count, average.LastStep));
        bool isWritten = false;
        _ranks.RunTogether(() => isWritten = Write(metadata, [.. NameTensors(step, state, best.Values, average?.Values)]));
        return isWritten;
    }

    private void Read(IEnumerable<(string Name, Tensor Tensor)> named)
    {
        if (_ranks.Rank != 0)
            return;
        using NamedTensors tensors = new(named);
        _folder!.Newest!.Read(StoredCheckpoint.TensorsFile, (stream, length) => ModuleWeights.Load(tensors, stream, length));
    }

    private bool Write(CheckpointMetadata metadata, IReadOnlyList<(string Name, Tensor Tensor)> named)
    {
        if (_ranks.Rank != 0)
            return false;
        try
        {
            CheckpointTensors.RequireFinite(named);
            using NamedTensors tensors = new(named);
            _folder!.Write(
                metadata.Steps,
                [(StoredCheckpoint.TensorsFile, stream => ModuleWeights.Save(tensors, stream)), (StoredCheckpoint.StateFile, stream => JsonSerializer.Serialize(stream, metadata))],
                isOwn: other => FindDifference(other) is null);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            _folder!.Warn($"The checkpoint after step {metadata.Steps} cannot be written to '{_folder.Path}': {exception.Message.TrimEnd('.')}. Training goes on; the next is written when it is due.");
            return false;
        }
    }

    // The first rank's, on all.
    private CheckpointMetadata? ShareState(CheckpointMetadata? state)
    {
        if (_ranks.Size == 1)
            return state;
        using JsonDocument shared = JsonDocument.Parse(_ranks.Broadcast(JsonSerializer.Serialize(state)));
        return shared.RootElement.ValueKind == JsonValueKind.Null ? null : CheckpointMetadata.Parse(shared.RootElement, "the checkpoint of rank 0");
    }

    private static IEnumerable<(string Name, Tensor Tensor)> NameTensors(TrainingStep step, IReadOnlyList<(string Name, Tensor Tensor)> state, Tensor? bestWeights, Tensor? averaged)
    {
        (string Name, Tensor? Tensor)[] others = [(CheckpointTensors.Best, bestWeights), (CheckpointTensors.Average, averaged)];
        return [(CheckpointTensors.Weights, step.Parameters.Values), .. state, .. others.Where(one => one.Tensor is not null).Select(one => (one.Name, one.Tensor!))];
    }

    // Null where there is none.
    private (string Name, string Description)? FindDifference(CheckpointMetadata other)
    {
        foreach (string name in _settings.Keys.Union(other.Settings.Keys).Except(Limits).Order(StringComparer.Ordinal))
        {
            string before = other.Settings.GetValueOrDefault(name, "not set"), now = _settings.GetValueOrDefault(name, "not set");
            if (before != now)
                return (name, $"{name} is {before} there and {now} here");
        }
        return null;
    }
}
