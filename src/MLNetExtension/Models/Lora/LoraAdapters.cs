using MLNetExtension.Models.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Lora;

/// <summary>
/// Low-rank adapters of a model (Hu et al. 2021, "LoRA"): while they are attached, they and the modules that are trained whole beside them are trained, and the rest of the model's own weights is frozen.
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
    /// <param name="parts">The layers of the model that get an adapter, and the modules that are trained whole.</param>
    /// <exception cref="InvalidOperationException">The model has adapters already.</exception>
    internal LoraAdapters(CausalLanguageModel model, LoraOptions options, AdaptableParts parts)
    {
        if (model.modules().Any(module => module is LowRankAdapter))
            throw new InvalidOperationException("The model has adapters already: merge or remove them first.");
        (_model, Options, TrainedModules) = (model, options, parts.Whole);
        ScalarType dtype = model.SampleWeight.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        _trainedBefore = [.. model.named_parameters().Where(pair => pair.parameter.requires_grad || IsStoredBase(pair.parameter)).Select(pair => pair.name)];
        HashSet<string> trained = [.. parts.Whole.SelectMany(module => module.Tensors, (_, tensor) => tensor.Parameter)];
        foreach ((string name, Parameter parameter) in model.named_parameters())
            parameter.requires_grad = trained.Contains(name);
        _adapters = [.. parts.Linears.Select(module => (module, AddAdapter(module, dtype)))];
    }

    /// <summary>The adapters' settings.</summary>
    public LoraOptions Options { get; }

    /// <summary>The modules that are trained whole, with those that are tied to them.</summary>
    internal IReadOnlyList<WholeModule> TrainedModules { get; }

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
    /// <param name="parts">What of it can have an adapter or be trained whole, from which the options select.</param>
    /// <param name="options">Rank, scale, dropout and layers.</param>
    /// <param name="seed">The same seed gives the same adapters. Null leaves them zero, for a loader that sets every one of their weights.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">A name in the options matches no layer, or the rank is larger than a layer's own, where that matters.</exception>
    /// <exception cref="InvalidOperationException">The model has adapters already.</exception>
    internal static LoraAdapters Attach(CausalLanguageModel model, AdaptableParts parts, LoraOptions options, long? seed)
    {
        options.Validate();
        LoraAdapters adapters = new(model, options, parts.Select(options));
        if (seed is { } value)
            adapters.Initialize(value);
        return adapters;
    }

    /// <summary>Sets the weights of the adapters, so that they change nothing of what the model computes.</summary>
    /// <param name="seed">The same seed gives the same adapters.</param>
    /// <exception cref="ArgumentException">The rank is larger than a layer's own, where that matters; the adapters have been removed.</exception>
    internal void Initialize(long seed)
    {
        using AdapterInitializer initializer = new(Options, seed);
        try
        {
            foreach ((AdaptableModule module, LowRankAdapter adapter) in _adapters)
                initializer.Fill(module, adapter);
        }
        catch
        {
            Detach(merge: false);
            throw;
        }
    }

    /// <summary>
    /// Adds the adapters' products to the model's own weights and removes the adapters: the model computes the same, up to rounding, as fast as before. Weights that were trained before are trained again. A base that is
    /// stored in fewer bits is converted, as rounded as it is, to the type that the model computes in.
    /// </summary>
    /// <exception cref="InvalidOperationException">The adapters have been merged or removed.</exception>
    public void Merge() => Detach(merge: true);

    /// <summary>Removes the adapters: the model computes what it did before them, but for modules that were trained whole. Weights that were trained before are trained again.</summary>
    /// <exception cref="InvalidOperationException">The adapters have been merged or removed.</exception>
    public void Remove() => Detach(merge: false);

    /// <summary>Lets passes without training take what depends on the adapters' weights alone as computed now, until the model is trained again: for a model that is in use.</summary>
    internal void FixNorms()
    {
        foreach ((AdaptableModule module, LowRankAdapter adapter) in Attached)
            adapter.FixNorms(module.Linear.Weight);
    }

    /// <summary>Gives the weights of the modules that are trained whole, by their published names, in the files' shapes: views of the model's.</summary>
    internal IReadOnlyList<(WholeTensor Source, Tensor Values)> ListTrainedTensors()
    {
        Dictionary<string, Parameter> parameters = _model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter);
        return [.. TrainedModules.SelectMany(module => module.Tensors, (_, tensor) => (tensor, View(tensor)))];

        Tensor View(WholeTensor tensor) => tensor.IsTransposed ? parameters[tensor.Parameter].detach().t() : parameters[tensor.Parameter].detach();
    }

    private void Detach(bool merge)
    {
        ThrowIfDetached();
        RestoreBase();
        foreach ((AdaptableModule module, LowRankAdapter adapter) in _adapters)
            module.Linear.Remove(adapter, merge);
        foreach ((string name, Parameter parameter) in _model.named_parameters())
            parameter.requires_grad = _trainedBefore.Contains(name);
        _attached = false;
    }

    // What is stored in fewer bits is trained again, and merged, in the type that the model computes in: with the values that it has, which are what the adapters were trained over.
    private void RestoreBase()
    {
        ScalarType type = _model.SampleWeight.dtype;
        foreach (AdaptableLinear linear in _model.modules().OfType<AdaptableLinear>().ToList())
        {
            if (!linear.Weight.IsPlain(type))
                linear.StoreAs(type, keepsValues: true);
        }
    }

    private bool IsStoredBase(Parameter parameter) => parameter.dtype != _model.SampleWeight.dtype;

    private LowRankAdapter AddAdapter(AdaptableModule module, ScalarType dtype)
    {
        LowRankAdapter adapter = new(new LowRankAdapter.Settings
        {
            Inputs = module.Inputs,
            FirstRow = module.FirstRow,
            Rows = module.Rows,
            Rank = Options.Rank,
            Scale = Options.Scale,
            Dropout = Options.Dropout,
            HasMagnitude = Options.UseDora,
            HasInitialProduct = Options.Initialization == LoraInitialization.Pissa,
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
