using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>The library as users get it: its defaults, the size of a micro-batch found in the first steps.</summary>
internal sealed class OurTraining : ITrainingSystem
{
    private readonly Gpt2Model _model;
    private readonly TokenExample[][] _batches;
    private readonly TrainingOptions _options;
    private readonly TrainingStep _step;
    private readonly EndRequests _requests = new(CancellationToken.None, CancellationToken.None);

    /// <param name="folder">The workload.</param>
    /// <param name="tune">Whether the size of a micro-batch is searched for.</param>
    /// <param name="workers">How many micro-batches are computed at the same time; null where it is searched for as well.</param>
    /// <param name="ranks">The processes that train together; null: one alone.</param>
    public OurTraining(WorkloadFolder folder, bool tune, int? workers = null, IRankGroup? ranks = null)
    {
        _options = WorkloadFolder.Options with { Batching = new() { Workers = workers } };
        _model = folder.LoadModel();
        _batches = [.. folder.File.Batches.Select(Workload.Examples)];
        _step = new TrainingStep(_model, _options, tune, ranks: ranks is null ? null : new RankSetup(ranks));
    }

    public string? Remark => $"{_step.TokensPerMicroBatch} tokens per micro-batch, {_step.Workers} {(_step.Workers == 1 ? "worker" : "workers")}";

    public double Step(int batch)
    {
        _step.TryTune(_batches[batch], _requests);
        return _step.Run(_batches[batch], _options.LearningRate, dropoutSeed: batch).Loss.Mean;
    }

    public void Dispose()
    {
        _step.Dispose();
        _requests.Dispose();
        _model.Dispose();
    }
}
