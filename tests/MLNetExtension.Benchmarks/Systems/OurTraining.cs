using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Training;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>The library as users get it: its defaults, the split of a batch found in trials.</summary>
internal sealed class OurTraining : IMeasuredSystem
{
    private readonly CausalLanguageModel _model;
    private readonly IReadOnlyList<TokenExample[]> _batches;
    private readonly TrainingOptions _options;
    private readonly TrainingStep _step;

    /// <param name="folder">The workload.</param>
    /// <param name="tune">Whether splits are tried, before the first step, where the workload has the time.</param>
    /// <param name="workers">How many micro-batches are computed at the same time; null where several are tried.</param>
    /// <param name="ranks">The processes that train together; null: one alone.</param>
    public OurTraining(WorkloadFolder folder, bool tune, int? workers = null, IRankGroup? ranks = null)
    {
        _options = WorkloadFolder.Options with { Batching = new() { Workers = workers, Precision = folder.Precision } };
        _model = folder.LoadModel();
        _batches = folder.Batches;
        _step = new TrainingStep(_model, _options, tune && folder.Workload.TriesSplits, ranks: ranks is null ? null : new RankSetup(ranks));
    }

    public string? Remark => $"{_step.Plan.Tokens} tokens per micro-batch, {_step.Plan.Workers} {(_step.Plan.Workers == 1 ? "worker" : "workers")}";

    public double Step(int batch)
    {
        TrySplits();
        return _step.Run(_batches[batch], _options.LearningRate, dropoutSeed: batch).Loss.Mean;
    }

    public void Dispose()
    {
        _step.Dispose();
        _model.Dispose();
    }

    // A training has hundreds of steps in which to try; a workload has a few, and begins with the weights that its peers begin with.
    private void TrySplits()
    {
        if (!_step.IsSearching)
            return;
        for (int k = 0; _step.IsSearching; k++)
            _step.Run(_batches[k % _batches.Count], learningRate: 0, dropoutSeed: k);
        foreach ((_, TorchSharp.torch.Tensor state) in _step.Optimizer.State)
            state.zero_();
        _step.Optimizer.Restore(0, _step.Optimizer.State);
    }
}
