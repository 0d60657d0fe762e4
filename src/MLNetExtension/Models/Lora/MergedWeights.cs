using MLNetExtension.Models.Layers;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Lora;

/// <summary>The weights of a model as they would be with its low-rank adapters merged, one at a time and without changing the model: for formats that have no place for adapters.</summary>
internal sealed class MergedWeights
{
    private readonly Dictionary<string, Parameter> _parameters;
    private readonly Dictionary<string, AdaptableLinear> _linears;

    /// <summary>Looks at a model.</summary>
    /// <param name="model">With or without adapters, which must stay as they are while this object is used.</param>
    public MergedWeights(CausalLanguageModel model)
    {
        _parameters = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter);
        _linears = model.named_modules()
            .Where(pair => pair.module is AdaptableLinear)
            .ToDictionary(pair => pair.name + ".weight", pair => (AdaptableLinear)pair.module);
    }

    /// <summary>Whether the model has a parameter.</summary>
    /// <param name="name">Its name in the model.</param>
    public bool Contains(string name) => _parameters.ContainsKey(name);

    /// <summary>The shape of a parameter.</summary>
    /// <param name="name">Its name in the model.</param>
    public long[] ShapeOf(string name) => _parameters[name].shape;

    /// <summary>Gives a parameter, to read from: the model's own memory, or where it is stored as integers or has adapters a copy, with these added, float32 or better, in the caller's dispose scope.</summary>
    /// <param name="name">Its name in the model.</param>
    public Tensor Find(string name)
    {
        if (!_linears.TryGetValue(name, out AdaptableLinear? linear))
            return _parameters[name].detach();
        Tensor own = linear.Weight.Rows(0, linear.Outputs);
        if (linear.Adapters.Count == 0)
            return own;
        Tensor merged = linear.Weight.Scales is not null ? own : own.dtype.IsHalf() ? own.Widen() : own.clone();
        foreach (LowRankAdapter adapter in linear.Adapters)
            adapter.MergeInto(merged, linear.Weight);
        return merged;
    }
}
