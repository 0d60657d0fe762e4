using MLNetExtension.Benchmarks.Workloads;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>
/// A training loop in TorchSharp alone: a module, padded micro-batches, whole logits, <c>torch.optim.AdamW</c>, <c>clip_grad_norm_</c>. The module is the same GPT-2 as ours or, where adapters
/// are trained, a Llama with adapters as they are usually written. B rows, T positions, V vocabulary.
/// </summary>
internal sealed class TorchSharpLoop : IMeasuredSystem
{
    private readonly nn.Module<Tensor, Tensor> _model;
    private readonly Parameter[] _parameters;
    private readonly AdamW _optimizer;
    private readonly double _maximumNorm;
    private readonly PaddedBatch[] _batches;

    public TorchSharpLoop(WorkloadFolder folder)
    {
        OptimizerSettings settings = folder.Optimizer;
        _maximumNorm = settings.MaximumGradientNorm;
        _model = folder.Workload.Network is WorkloadNetwork.LlamaWithAdapters llama ? PlainLlama.Load(llama, folder.Path, folder.Device) : folder.LoadModel();
        _parameters = [.. _model.parameters().Where(parameter => parameter.requires_grad)];
        _optimizer = optim.AdamW(
            [
                new AdamW.ParamGroup([.. _parameters.Where(p => p.dim() >= 2)], settings.LearningRate, settings.Beta1, settings.Beta2, settings.Epsilon, settings.WeightDecay),
                new AdamW.ParamGroup([.. _parameters.Where(p => p.dim() < 2)], settings.LearningRate, settings.Beta1, settings.Beta2, settings.Epsilon, weight_decay: 0),
            ]);
        _batches = [.. folder.Batches.Select(rows => new PaddedBatch(rows, folder.Workload.RowsPerMicroBatch, folder.Device))];
    }

    public string? Remark => null;

    public double Step(int batch)
    {
        _optimizer.zero_grad();
        using var step = NewDisposeScope();
        List<Tensor> losses = [];
        foreach ((Tensor ids, Tensor targets) in _batches[batch].MicroBatches)
        {
            using var scope = NewDisposeScope();
            Tensor logits = _model.call(ids);                                                                  // [B,T,V]
            // Summed and divided by the whole batch's targets: the exact objective, as in every other system here.
            Tensor part = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index: PaddedBatch.Ignored, reduction: nn.Reduction.Sum)
                / _batches[batch].TargetCount;
            part.backward();
            losses.Add(part.detach().MoveToOuterDisposeScope());
        }
        nn.utils.clip_grad_norm_(_parameters, _maximumNorm);
        _optimizer.step();
        return stack(losses).sum().item<float>();
    }

    public void Dispose()
    {
        foreach (PaddedBatch batch in _batches)
            batch.Dispose();
        _optimizer.Dispose();
        _model.Dispose();
    }
}
