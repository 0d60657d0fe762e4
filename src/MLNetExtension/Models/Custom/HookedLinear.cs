using MLNetExtension.Models.Layers;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Custom;

/// <summary>A linear layer of a user's module, to whose output a hook adds that of a low-rank adapter. The adapter becomes a child of the layer: it is saved and trained with the module.</summary>
internal sealed class HookedLinear(Linear linear) : IAdaptableLayer
{
    private LowRankAdapter? _adapter;
    private Action? _removeHook;

    public LinearWeight Weight => new(linear.weight);

    public IReadOnlyList<LowRankAdapter> Adapters => _adapter is null ? [] : [_adapter];

    /// <summary>Whether the adapter has ever computed anything.</summary>
    public bool HasRun { get; private set; }

    public void Add(LowRankAdapter adapter)
    {
        adapter.train(linear.training);
        linear.register_module(adapter.Name, adapter);
        _adapter = adapter;
        _removeHook = linear.register_forward_hook((_, input, output) => AddAdapter(input, output)).remove;
    }

    public void Remove(LowRankAdapter adapter, bool merge)
    {
        _removeHook!();
        if (merge)
            adapter.MergeInto(linear.weight.detach(), Weight);
        linear.register_module(adapter.Name, null!);
        _adapter = null;
        adapter.Dispose();
    }

    private Tensor AddAdapter(Tensor input, Tensor output)
    {
        HasRun = true;
        return _adapter!.Apply(output, input, Weight, linear.bias);
    }
}
