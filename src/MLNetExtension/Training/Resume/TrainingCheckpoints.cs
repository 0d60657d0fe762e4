using System.Text.Json;
using MLNetExtension.Safetensors;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Resume;

/// <summary>Writes down every so many steps where a training stands, and lets a later run go on from there as if nothing had happened in between.</summary>
/// <remarks>A checkpoint holds weights and AdamW's running means in full precision, the counts, and what validation found. Order of rows, schedule and dropout are functions of seed and step.
/// What follows is the uninterrupted training bit for bit where <see cref="TrainingOptions.MaximumTokensPerMicroBatch"/> is set and steps or epochs are the limit.</remarks>
internal sealed class TrainingCheckpoints
{
    private const string StateFile = "state.json", TensorsFile = "tensors.safetensors";
    private const string Weights = "weights", FirstMoment = "first_moment", SecondMoment = "second_moment", Best = "best_weights";

    private readonly CheckpointStore _store;
    private readonly int _interval;
    private readonly IReadOnlyDictionary<string, string> _settings;
    private readonly CheckpointState? _found;
    private int? _written;

    private TrainingCheckpoints(CheckpointStore store, int interval, IReadOnlyDictionary<string, string> settings, CheckpointState? found) =>
        (_store, _interval, _settings, _found, _written) = (store, interval, settings, found, found?.Steps);

    /// <summary>Optimizer steps that the newest whole checkpoint of the folder had taken; null where there is none and training begins anew.</summary>
    public int? ResumesFrom => _found?.Steps;

    /// <summary>Opens a folder of checkpoints.</summary>
    /// <param name="folder">Made where it is missing.</param>
    /// <param name="interval">Optimizer steps between two checkpoints, at least 1.</param>
    /// <param name="settings">What must be the same for a training to go on: settings and data, by name.</param>
    /// <exception cref="InvalidOperationException">The folder holds checkpoints of a training with other settings.</exception>
    /// <exception cref="InvalidDataException">The newest checkpoint is damaged.</exception>
    /// <exception cref="NotSupportedException">A later version of this library wrote it.</exception>
    public static TrainingCheckpoints Open(string folder, int interval, IReadOnlyDictionary<string, string> settings)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentOutOfRangeException.ThrowIfLessThan(interval, 1);
        ArgumentNullException.ThrowIfNull(settings);
        var store = new CheckpointStore(folder);
        if (store.Newest() is not int step)
            return new TrainingCheckpoints(store, interval, settings, found: null);
        CheckpointState? found = null;
        store.Read(step, StateFile, (stream, _) => found = JsonSerializer.Deserialize<CheckpointState>(stream) ?? throw new InvalidDataException("it is null."));
        if (found!.FormatVersion > CheckpointState.CurrentVersion)
            throw new NotSupportedException($"The checkpoints in '{folder}' have format {found.FormatVersion}; this version of MLNetExtension reads formats up to {CheckpointState.CurrentVersion}.");
        Require(folder, found.Settings, settings);
        return new TrainingCheckpoints(store, interval, settings, found);
    }

    /// <summary>Goes on from the checkpoint that was found; without one nothing changes.</summary>
    internal void Restore(TrainingStep step, TrainingState state)
    {
        if (_found is null)
            return;
        (state.Steps, state.Elapsed, state.TargetTokens) = (_found.Steps, _found.Elapsed, _found.TargetTokens);
        using var scope = NewDisposeScope();
        Tensor? best = _found.Best?.Loss is null ? null : empty_like(step.Parameters.Values, device: CPU);
        using (TensorBag tensors = new(Tensors(step, best)))
            _store.Read(_found.Steps, TensorsFile, (stream, length) => ModuleWeights.Load(tensors, stream, length));
        step.Parameters.PublishValues();
        step.Optimizer.Restore(_found.Updates, step.Optimizer.First, step.Optimizer.Second);
        if (_found.Best is { } measured)
            state.Best.Resume(measured.Loss ?? double.PositiveInfinity, measured.Step, measured.LastStep, measured.WithoutImprovement, best);
    }

    /// <summary>Whether a checkpoint is due after this many steps.</summary>
    internal bool IsDue(int steps) => steps % _interval == 0;

    /// <summary>Writes a checkpoint, unless this step has one.</summary>
    internal void Write(TrainingStep step, TrainingState state)
    {
        if (_written == state.Steps)
            return;
        BestWeights best = state.Best;
        var measured = best.LastStep < 0 ? null : new CheckpointState.Measured(best.Values is null ? null : best.Loss, best.Step, best.LastStep, best.WithoutImprovement);
        CheckpointState described = new(CheckpointState.CurrentVersion, _settings, state.Steps, step.Optimizer.Steps, state.Elapsed, state.TargetTokens, measured);
        using TensorBag tensors = new(Tensors(step, best.Values));
        _store.Write(state.Steps, [(TensorsFile, stream => ModuleWeights.Save(tensors, stream)), (StateFile, stream => JsonSerializer.Serialize(stream, described))]);
        _written = state.Steps;
    }

    private static IEnumerable<(string Name, Tensor Tensor)> Tensors(TrainingStep step, Tensor? best)
    {
        yield return (Weights, step.Parameters.Values);
        yield return (FirstMoment, step.Optimizer.First);
        yield return (SecondMoment, step.Optimizer.Second);
        if (best is not null)
            yield return (Best, best);
    }

    private static void Require(string folder, IReadOnlyDictionary<string, string> found, IReadOnlyDictionary<string, string> settings)
    {
        foreach (string name in settings.Keys.Union(found.Keys).Order(StringComparer.Ordinal))
        {
            string before = found.GetValueOrDefault(name, "not set"), now = settings.GetValueOrDefault(name, "not set");
            if (before != now)
                throw new InvalidOperationException($"The checkpoints in '{folder}' are of another training: {name} is {before} there and {now} here. "
                    + "Train as before to go on, or name another folder to begin anew.");
        }
    }
}
