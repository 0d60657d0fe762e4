using MLNetExtension.Models.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Lora;

/// <summary>
/// Low-rank adapters of a model (Hu et al. 2021, "LoRA"): while they are attached, they alone are trained and the model's own weights are frozen.
/// </summary>
/// <remarks>
/// <para>The adapters belong to the model and are freed with it. They are float32, or float64 in a model of that type: a model in bfloat16 keeps its weights so, and what is trained is float32 still.</para>
/// <para>What saves the model's own weights does not save adapters: save these too, or merge them before.</para>
/// </remarks>
internal sealed class LoraAdapters
{
    private readonly CausalLanguageModel _model;
    private readonly IReadOnlyList<(AdaptableModule Module, LowRankAdapter Adapter)> _adapters;
    private readonly HashSet<string> _trainedBefore;
    private bool _attached = true;

    /// <summary>Attaches adapters whose weights are zero, and freezes the model's own weights.</summary>
    /// <param name="model">The model, on the device where it is to be trained.</param>
    /// <param name="options">Rank, scale and dropout.</param>
    /// <param name="modules">The layers of the model that get an adapter.</param>
    /// <exception cref="InvalidOperationException">The model has adapters already.</exception>
    internal LoraAdapters(CausalLanguageModel model, LoraOptions options, IReadOnlyList<AdaptableModule> modules)
    {
        if (model.modules().Any(module => module is LowRankAdapter))
            throw new InvalidOperationException("The model has adapters already: merge or remove them first.");
        (_model, Options) = (model, options);
        ScalarType dtype = model.SampleWeight.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        _trainedBefore = [.. model.named_parameters().Where(pair => pair.parameter.requires_grad).Select(pair => pair.name)];
        foreach (Parameter parameter in model.parameters())
            parameter.requires_grad = false;
        _adapters = [.. modules.Select(module => (module, AddAdapter(module, dtype)))];
    }

    /// <summary>The adapters' settings.</summary>
    public LoraOptions Options { get; }

    /// <summary>The adapters, and the layers that have them.</summary>
    /// <exception cref="InvalidOperationException">The adapters have been merged or removed.</exception>
    internal IReadOnlyList<(AdaptableModule Module, LowRankAdapter Adapter)> Attached
    {
        get
        {
            ThrowIfDetached();
            return _adapters;
        }
    }

    /// <summary>Names of the layers with an adapter, as in Hugging Face's files.</summary>
    public IReadOnlyList<string> ModuleNames => [.. _adapters.Select(pair => pair.Module.Name)];

    /// <summary>Attaches new adapters, which do not change the model's results before they are trained, and freezes the model's own weights.</summary>
    /// <param name="model">The model, on the device where it is to be trained.</param>
    /// <param name="modules">The layers that can have an adapter, from which <see cref="LoraOptions.TargetModules"/> selects.</param>
    /// <param name="options">Rank, scale, dropout and layers.</param>
    /// <param name="seed">The same seed gives the same adapters.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">A pattern of <see cref="LoraOptions.TargetModules"/> matches no layer.</exception>
    /// <exception cref="InvalidOperationException">The model has adapters already.</exception>
    internal static LoraAdapters Attach(CausalLanguageModel model, IReadOnlyList<AdaptableModule> modules, LoraOptions options, long seed)
    {
        options.Validate();
        LoraAdapters adapters = new(model, options, AdaptableModule.Select(modules, options.TargetModules));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Generator generator = new((ulong)seed);
        // B stays zero, so that the product is zero. A is initialized like a linear layer's weight: uniform between -1/sqrt(C) and 1/sqrt(C).
        foreach ((AdaptableModule module, LowRankAdapter adapter) in adapters._adapters)
        {
            Tensor uniform = rand(adapter.A.shape, dtype: float64, generator: generator) * 2 - 1;
            adapter.A.copy_(uniform / Math.Sqrt(module.Linear.Inputs));
        }
        return adapters;
    }

    /// <summary>Adds the adapters' products to the model's own weights and removes the adapters: the model computes the same, up to rounding, as fast as before. Weights that were trained before are trained again.</summary>
    /// <exception cref="InvalidOperationException">The adapters have been merged or removed.</exception>
    public void Merge() => Detach(merge: true);

    /// <summary>Removes the adapters: the model computes what it did before them. Weights that were trained before are trained again.</summary>
    /// <exception cref="InvalidOperationException">The adapters have been merged or removed.</exception>
    public void Remove() => Detach(merge: false);

    private void Detach(bool merge)
    {
        ThrowIfDetached();
        foreach ((AdaptableModule module, LowRankAdapter adapter) in _adapters)
            module.Linear.Remove(adapter, merge);
        foreach ((string name, Parameter parameter) in _model.named_parameters())
            parameter.requires_grad = _trainedBefore.Contains(name);
        _attached = false;
    }

    private LowRankAdapter AddAdapter(AdaptableModule module, ScalarType dtype)
    {
        LowRankAdapter adapter = new(new LowRankAdapter.Settings
        {
            Inputs = module.Linear.Inputs,
            FirstRow = module.FirstRow,
            Rows = module.Rows,
            Rank = Options.Rank,
            Scale = Options.Scale,
            Dropout = Options.Dropout,
            Dtype = dtype,
        });
        // Created on the CPU and moved, so that the module records its device.
        adapter.to(_model.Device);
        module.Linear.Add(adapter);
        return adapter;
    }

    private void ThrowIfDetached()
    {
        if (!_attached)
            throw new InvalidOperationException("The adapters have been merged or removed.");
    }
}
