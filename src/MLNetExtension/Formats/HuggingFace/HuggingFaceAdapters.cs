using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>Attaches, loads and saves low-rank adapters under Hugging Face's names of layers, in PEFT's files.</summary>
internal static class HuggingFaceAdapters
{
    private const string WeightSuffix = ".weight";

    /// <summary>Lists the linear layers in the blocks of a model.</summary>
    /// <param name="model">A <see cref="Models.Gpt2.Gpt2Model"/> or a <see cref="Models.Llama.LlamaModel"/>.</param>
    /// <exception cref="NotSupportedException">The model is of another class, without such names.</exception>
    public static IReadOnlyList<AdaptableModule> ListModules(CausalLanguageModel model)
    {
        IArchitecture architecture = HuggingFaceConfiguration.FindArchitecture(model);
        Dictionary<string, AdaptableLinear> linears = model.named_modules()
            .Where(pair => pair.module is AdaptableLinear)
            .ToDictionary(pair => pair.name + WeightSuffix, pair => (AdaptableLinear)pair.module);
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

    /// <summary>Attaches new adapters to a model, which do not change its results before they are trained, and freezes its own weights.</summary>
    /// <param name="model">A <see cref="Models.Gpt2.Gpt2Model"/> or a <see cref="Models.Llama.LlamaModel"/>, on the device where it is to be trained.</param>
    /// <param name="options">Rank, scale, dropout and layers.</param>
    /// <param name="seed">The same seed gives the same adapters.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">A pattern of <see cref="LoraOptions.TargetModules"/> matches no layer.</exception>
    /// <exception cref="InvalidOperationException">The model has adapters already.</exception>
    /// <exception cref="NotSupportedException">The model is of another class.</exception>
    public static LoraAdapters Attach(CausalLanguageModel model, LoraOptions options, long seed) => LoraAdapters.Attach(model, ListModules(model), options, seed);

    /// <summary>Attaches adapters to a model from a folder with PEFT's <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>, and freezes its own weights.</summary>
    /// <param name="model">A <see cref="Models.Gpt2.Gpt2Model"/> or a <see cref="Models.Llama.LlamaModel"/>.</param>
    /// <param name="folder">The folder.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="NotSupportedException">The configuration asks for what is not supported here; the message names it. Or the model is of another class.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or does not fit the model; the message says where.</exception>
    /// <exception cref="InvalidOperationException">The model has adapters already.</exception>
    public static LoraAdapters Load(CausalLanguageModel model, string folder)
    {
        PeftFolder files = PeftFolder.Open(folder, ListModules(model));
        LoraAdapters adapters = new(model, files.Options, files.Modules);
        try
        {
            files.Fill(adapters.Attached);
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
    public static void Save(LoraAdapters adapters, string folder, string? baseModel = null) => PeftFolder.Write(folder, adapters.Options, adapters.Attached, baseModel);
}
