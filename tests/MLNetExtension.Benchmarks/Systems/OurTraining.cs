using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>The library as users get it: its defaults, the size of a micro-batch found in the first steps.</summary>
internal sealed class OurTraining : ITrainingSystem
{
    private readonly Gpt2Model _model;
    private readonly TokenExample[][] _batches;
    private readonly TrainingOptions _options = WorkloadFolder.Options;
    private readonly TrainingStep _step;
    private readonly EndRequests _requests = new(CancellationToken.None, CancellationToken.None);

    public OurTraining(WorkloadFolder folder, bool tune)
    {
        _model = folder.LoadModel();
        _batches = [.. folder.File.Batches.Select(Workload.Examples)];
        _step = new TrainingStep(_model, _options, tune);
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
