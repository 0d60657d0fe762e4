using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using static TorchSharp.torch;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>Scoring in TorchSharp alone: the same model called as a module without gradients, padded micro-batches, whole logits, cross entropy. B rows, T positions, V vocabulary.</summary>
internal sealed class TorchSharpScoring : IMeasuredSystem
{
    private readonly CausalLanguageModel _model;
    private readonly PaddedBatch[] _batches;

    public TorchSharpScoring(WorkloadFolder folder)
    {
        AppContext.SetSwitch(WideProduct.OffSwitch, true);    // without gradients, the model's products would be ours
        _model = folder.LoadModel();
        _batches = [.. folder.Batches.Select(rows => new PaddedBatch(rows, folder.Workload.RowsPerMicroBatch, folder.Device))];
    }

    public string? Remark => null;

    public double Step(int batch)
    {
        using var noGradient = no_grad();
        double sum = 0;
        foreach ((Tensor ids, Tensor targets) in _batches[batch].MicroBatches)
        {
            using var scope = NewDisposeScope();
            Tensor logits = _model.call(ids);                                                                  // [B,T,V]
            sum += nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index: PaddedBatch.Ignored, reduction: nn.Reduction.Sum).item<float>();
        }
        return sum / _batches[batch].TargetCount;
    }

    public void Dispose()
    {
        foreach (PaddedBatch batch in _batches)
            batch.Dispose();
        _model.Dispose();
    }
}
