using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>Attaches, loads and saves low-rank adapters under Hugging Face's names of layers, in PEFT's files.</summary>
internal static class HuggingFaceAdapters
{
    private const string WeightSuffix = ".weight", TiedHead = "lm_head";    // which has no tensor of its own in a model's files, but one in adapters'

    /// <summary>Lists the linear layers in the blocks of a model.</summary>
    /// <param name="model">A <see cref="Models.Gpt2.Gpt2Model"/> or a <see cref="Models.Llama.LlamaModel"/>.</param>
    /// <exception cref="NotSupportedException">The model is of another class, without such names.</exception>
    public static IReadOnlyList<AdaptableModule> ListModules(CausalLanguageModel model)
    {
        IArchitecture architecture = HuggingFaceConfiguration.FindArchitecture(model);
        Dictionary<string, AdaptableLinear> linears = ListLinears(model);
        List<AdaptableModule> modules = [];
        foreach (HuggingFaceTensor tensor in architecture.Tensors)
        {
            if (linears.TryGetValue(tensor.Parameter, out AdaptableLinear? linear))
            {
                string name = architecture.Prefixes[0] + tensor.Name[..^WeightSuffix.Length];
                modules.Add(new AdaptableModule(name, linear, tensor.FirstRow, tensor.IsPart ? tensor.Shape[0] : linear.Outputs, tensor.IsTransposed));
            }
        }
        return modules;
    }

    /// <summary>Lists what of a model can be trained beside its frozen weights.</summary>
    /// <param name="model">A <see cref="Models.Gpt2.Gpt2Model"/> or a <see cref="Models.Llama.LlamaModel"/>.</param>
    /// <exception cref="NotSupportedException">The model is of another class, without such names.</exception>
    public static AdaptableParts ListParts(CausalLanguageModel model)
    {
        IArchitecture architecture = HuggingFaceConfiguration.FindArchitecture(model);
        List<WholeModule> whole = [];
        foreach (IGrouping<string, HuggingFaceTensor> tensors in architecture.Tensors.GroupBy(tensor => ModuleOf(architecture, tensor)))
        {
            // Rows of a parameter that is more than this module cannot be trained without the others.
            if (!tensors.Any(tensor => tensor.IsPart))
                whole.Add(new WholeModule(tensors.Key, [.. tensors.Select(tensor => new WholeTensor(NameOf(architecture, tensor), tensor.Parameter, tensor.Shape, tensor.IsTransposed))]));
        }
        WholeTensor embedding = whole[0].Tensors[0];
        if (model.HeadWeight!.Handle == model.TokenEmbedding.Handle)
            whole.Add(new WholeModule(TiedHead, [embedding with { Name = TiedHead + WeightSuffix }]));
        return new AdaptableParts(ListModules(model), whole);
    }

    /// <summary>Stores the frozen weights of the blocks' linear layers as options say, without changing them where they are stored so already.</summary>
    /// <param name="model">A <see cref="Models.Gpt2.Gpt2Model"/> or a <see cref="Models.Llama.LlamaModel"/>, without adapters.</param>
    /// <param name="options">The adapters that it is to have.</param>
    /// <param name="keepsValues">Whether the weights have values to convert; else they are about to be loaded.</param>
    /// <exception cref="ArgumentException">A name in the options matches nothing.</exception>
    public static void StoreBase(CausalLanguageModel model, LoraOptions options, bool keepsValues)
    {
        if (options.BaseType is not { } type)
            return;
        HashSet<string> trained = [.. ListParts(model).Select(options).Whole.SelectMany(module => module.Tensors, (_, tensor) => tensor.Parameter)];
        HashSet<AdaptableLinear> routers = [.. model.modules().OfType<MixtureOfExperts>().Select(mixture => mixture.Router)];
        foreach ((string name, AdaptableLinear linear) in ListLinears(model))
        {
            if (!trained.Contains(name) && !routers.Contains(linear) && linear.Weight.Values.dtype != type)
                linear.StoreAs(type, keepsValues);
        }
    }

    /// <summary>Lists the linear layers of a model by the names of their weights.</summary>
    public static Dictionary<string, AdaptableLinear> ListLinears(CausalLanguageModel model) => model.named_modules()
        .Where(pair => pair.module is AdaptableLinear)
        .ToDictionary(pair => pair.name + WeightSuffix, pair => (AdaptableLinear)pair.module);

    /// <summary>Attaches new adapters to a model, which do not change its results before they are trained, and freezes its own weights.</summary>
    /// <param name="model">A <see cref="Models.Gpt2.Gpt2Model"/> or a <see cref="Models.Llama.LlamaModel"/>, on the device where it is to be trained.</param>
    /// <param name="options">Rank, scale, dropout and layers.</param>
    /// <param name="seed">The same seed gives the same adapters; null leaves them zero, for a loader.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">A name in the options matches nothing.</exception>
    /// <exception cref="InvalidOperationException">The model has adapters already.</exception>
    /// <exception cref="NotSupportedException">The model is of another class.</exception>
    public static LoraAdapters Attach(CausalLanguageModel model, LoraOptions options, long? seed) => LoraAdapters.Attach(model, ListParts(model), options, seed);

    /// <summary>Attaches adapters to a model from a folder with PEFT's <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>, and freezes its own weights.</summary>
    /// <param name="model">A <see cref="Models.Gpt2.Gpt2Model"/> or a <see cref="Models.Llama.LlamaModel"/>.</param>
    /// <param name="folder">The folder.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="NotSupportedException">The configuration asks for what is not supported here; the message names it. Or the model is of another class.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or does not fit the model; the message says where.</exception>
    /// <exception cref="InvalidOperationException">The model has adapters already.</exception>
    public static LoraAdapters Load(CausalLanguageModel model, string folder)
    {
        PeftFolder files = PeftFolder.Open(folder, ListParts(model));
        LoraAdapters adapters = new(model, files.Options, files.Parts);
        // Such adapters are relative to what is left of a weight without its principal part.
        if (files.Options.Initialization == LoraInitialization.Pissa)
            adapters.Initialize(seed: 0);
        try
        {
            files.Fill(adapters);
            return adapters;
        }
        catch
        {
            adapters.Remove();
            throw;
        }
    }

    /// <summary>Writes adapters as PEFT's <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>. An interrupted save leaves the old files or no configuration.</summary>
    /// <param name="adapters">The adapters.</param>
    /// <param name="folder">The folder; created if it is missing.</param>
    /// <param name="baseModel">The name, in the configuration, of the model that the adapters are for; null for none.</param>
    /// <exception cref="InvalidOperationException">The adapters have been merged or removed.</exception>
    public static void Save(LoraAdapters adapters, string folder, string? baseModel = null) => PeftFolder.Write(folder, adapters, baseModel);

    private static string NameOf(IArchitecture architecture, HuggingFaceTensor tensor) => tensor.HasPrefix ? architecture.Prefixes[0] + tensor.Name : tensor.Name;

    private static string ModuleOf(IArchitecture architecture, HuggingFaceTensor tensor) => NameOf(architecture, tensor) is var name && name.LastIndexOf('.') is var dot and > 0 ? name[..dot] : name;
}
