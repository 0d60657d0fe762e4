using MLNetExtension.Models.Lora;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Custom;

/// <summary>Where a network of a user's own comes from, and its linear layers under the names that they have in its module.</summary>
internal sealed class CustomNetwork
{
    private readonly CausalLanguageModel _model;

    /// <param name="factory">What created it.</param>
    /// <param name="model">The network.</param>
    /// <param name="module">The user's module: the network itself, or the module that it wraps.</param>
    public CustomNetwork(NetworkFactory factory, CausalLanguageModel model, nn.Module module)
    {
        (Factory, _model, Module) = (factory, model, module);
        HashSet<nn.Module> inBlocks = [.. model.Blocks.SelectMany(block => block.modules())];
        Linears = [.. module.named_modules()
            .Where(pair => pair.module is Linear && (inBlocks.Count == 0 || inBlocks.Contains(pair.module)))
            .Select(pair => CreateAdaptable(pair.name, (Linear)pair.module))];
    }

    /// <summary>Creates networks of the same kind.</summary>
    public NetworkFactory Factory { get; }

    /// <summary>The user's module, under whose names the weights are saved.</summary>
    public nn.Module Module { get; }

    /// <summary>Every <c>nn.Linear</c> of the blocks; of the whole module, where the network has no blocks.</summary>
    public IReadOnlyList<AdaptableModule> Linears { get; }

    /// <summary>Attaches new adapters to the linear layers that the options select, and freezes the network's own weights.</summary>
    /// <param name="options">Rank, scale, dropout and layers.</param>
    /// <param name="seed">The same seed gives the same adapters; null leaves them zero, for a loader.</param>
    /// <exception cref="ArgumentException">A pattern matches no layer.</exception>
    /// <exception cref="NotSupportedException">The options ask for another type of the frozen weights.</exception>
    /// <exception cref="InvalidOperationException">The module does not run a selected layer by <c>call</c>, so that an adapter would have no effect.</exception>
    public LoraAdapters AttachAdapters(LoraOptions options, long? seed)
    {
        if (options.BaseType is not null)
            throw new NotSupportedException($"{nameof(LoraOptions.BasePrecision)} is {options.BasePrecision}, but the layers of the custom model '{Factory.Name}' are its own, which compute with their weights as they are: leave it at {nameof(BasePrecision.Computation)}.");
        if (Linears.Count == 0)
            throw new ArgumentException($"The custom model '{Factory.Name}' has no nn.Linear, to which adapters could be attached.", nameof(options));
        LoraAdapters adapters = LoraAdapters.Attach(_model, new AdaptableParts(Linears, ListWholeModules()), options, seed);
        CheckThatEachRuns(adapters);
        return adapters;
    }

    // Every module that holds weights itself. A weight that several hold is one parameter of the model.
    private IReadOnlyList<WholeModule> ListWholeModules()
    {
        Dictionary<nint, string> names = [];
        foreach ((string name, Parameter parameter) in _model.named_parameters())
            names.TryAdd(parameter.Handle, name);
        List<WholeModule> modules = [];
        foreach ((string name, nn.Module module) in Module.named_modules())
        {
            WholeTensor[] tensors = [.. module.named_parameters(recurse: false).Select(own => new WholeTensor($"{name}.{own.name}", names[own.parameter.Handle], own.parameter.shape, IsTransposed: false))];
            if (tensors.Length > 0 && name.Length > 0)
                modules.Add(new WholeModule(name, tensors));
        }
        return modules;
    }

    // An adapter is added by a hook, which forward() of a layer passes by.
    private void CheckThatEachRuns(LoraAdapters adapters)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        bool training = _model.training;
        _model.eval();
        int length = Math.Min(64, Math.Min(_model.VocabularySize, _model.ContextLength));
        _model.call(arange(Scalars.Of(length), dtype: ScalarType.Int64, device: _model.Device).unsqueeze(0));       // [1,T]
        _model.train(training);
        foreach (AdaptableModule module in adapters.Attached.Select(pair => pair.Module))
        {
            if (!((HookedLinear)module.Linear).HasRun)
                throw new InvalidOperationException($"The custom model '{Factory.Name}' does not run its layer '{module.Name}' by call(): an adapter there would have no effect. Call it so, or leave the layer out of Adapters.TargetModules.");
        }
    }

    private static AdaptableModule CreateAdaptable(string name, Linear linear) => new(name, new HookedLinear(linear), FirstRow: 0, linear.weight.shape[0], IsTransposed: false);
}
