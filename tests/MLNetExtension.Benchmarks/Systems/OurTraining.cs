using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>The library as users get it: its defaults, the token budget sought in the first step.</summary>
internal sealed class OurTraining : ITrainingSystem
{
    private readonly Gpt2Model _model;
    private readonly TokenExample[][] _windows;
    private readonly TrainingOptions _options = WorkloadFolder.Options;
    private readonly TrainingStep _step;

    public OurTraining(WorkloadFolder folder, bool calibrate)
    {
        _model = folder.LoadModel();
        _windows = [.. folder.File.Windows.Select(Workload.Examples)];
        _step = new TrainingStep(_model, _options, calibrate);
    }

    public string? Remark => $"{_step.TokensPerMicroBatch} tokens per micro-batch, {_step.Workers} {(_step.Workers == 1 ? "worker" : "workers")}";

    public double Step(int window) => _step.Run(_windows[window], _options.LearningRate, dropoutSeed: window).Loss.Mean;

    public void Dispose()
    {
        _step.Dispose();
        _model.Dispose();
    }
}
