using System.Text.Json.Nodes;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;
using MLNetExtension.Safetensors;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.MLNet.Archive;

/// <summary>A trained network with what is needed to use it: tokenizer, configuration, adapters. It owns the network.</summary>
internal sealed class TrainedLanguageModel : IDisposable
{
    private const string DescriptionEntry = "model.json", WeightsEntry = "weights.safetensors";
    private const string ConfigurationEntry = "config.json", GenerationEntry = "generation_config.json";

    private readonly HuggingFaceModel? _published;

    /// <param name="network">Owned by this object: detached from every dispose scope, and disposed with this object.</param>
    /// <param name="tokenizer">Its ids are below the network's vocabulary size.</param>
    /// <param name="adapters">The network's adapters; null where it has none.</param>
    /// <param name="published">The published model that the network is of; null for others.</param>
    public TrainedLanguageModel(CausalLanguageModel network, ILanguageTokenizer tokenizer, LoraAdapters? adapters = null, HuggingFaceModel? published = null)
    {
        // The caller may train inside a dispose scope; the model outlives it.
        foreach (var tensor in network.parameters().Concat(network.buffers()))
            tensor.DetachFromDisposeScope();
        network.eval();
        (Network, Tokenizer, _published, Adapters) = (network, tokenizer, published, adapters);
    }

    /// <summary>The network; what calls into it does so within <see cref="Use"/>.</summary>
    public CausalLanguageModel Network { get; }

    public ILanguageTokenizer Tokenizer { get; }

    /// <summary>Whether the network is that of a published model.</summary>
    public bool IsPublished => _published is not null;

    /// <summary>Ids that end a text according to the published model's files, besides the tokenizer's end-of-text.</summary>
    public IReadOnlyList<int> EndIds => _published?.EndOfTextIds ?? [];

    /// <summary>The network's adapters; null where it has none or they have been merged.</summary>
    public LoraAdapters? Adapters { get; private set; }

    /// <summary>For parameters of the network, their names in Hugging Face's files.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> PublishedNames => HuggingFaceConfiguration.ListNames(Network);

    /// <summary>Adds the adapters to the network's own weights.</summary>
    public void MergeAdapters()
    {
        using var use = Use();
        Adapters?.Merge();
        Adapters = null;
    }

    /// <summary>Attaches new adapters to a network, and freezes its own weights.</summary>
    /// <exception cref="ArgumentException">A pattern of <see cref="LoraOptions.TargetModules"/> matches no layer.</exception>
    public static LoraAdapters AttachAdapters(CausalLanguageModel network, LoraOptions options, long seed) =>
        network.Custom?.AttachAdapters(options, seed) ?? HuggingFaceAdapters.Attach(network, options, seed);

    /// <summary>Writes configuration, tokenizer and weights as entries.</summary>
    /// <exception cref="InvalidOperationException">A weight is not finite; the message names it.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void Save(ArchiveWriter archive)
    {
        using var use = Use();
        RequireFiniteWeights();
        var description = ModelDescription.Of(this);
        archive.WriteJson(DescriptionEntry, description);
        if (_published is not null)
        {
            archive.WriteJson(ConfigurationEntry, _published.ConfigurationJson);
            archive.WriteJson(GenerationEntry, _published.GenerationJson);
        }
        foreach (var file in description.TokenizerFiles is null ? [] : Tokenizer.Files)
            archive.Write(file.Name, stream => stream.Write(file.Content.Span));
        // Under the names of this library's modules, or of the user's; adapters included.
        archive.Write(WeightsEntry, stream => ModuleWeights.Save(Network.Custom?.Module ?? Network, stream));
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <param name="archive">The archive.</param>
    /// <param name="device">The device for the network.</param>
    /// <param name="customModels">The networks of the user's own that may be loaded.</param>
    /// <exception cref="InvalidDataException">An entry is missing or damaged, or the factory of a custom model creates another module than the one saved; the message names it.</exception>
    /// <exception cref="InvalidOperationException">The model is a custom one that is not registered, or its factory or tokenizer does not suit it.</exception>
    public static TrainedLanguageModel Load(ArchiveReader archive, Device device, CustomModels customModels)
    {
        var description = archive.ReadJson<ModelDescription>(DescriptionEntry);
        description.Check(DescriptionEntry);
        var registration = description.Custom is null ? null : customModels.Find(description.Custom.Name);
        var published = description.Custom is null && description.Configuration is null
            ? HuggingFaceModel.CreateUninitialized(archive.ReadJson<JsonObject>(ConfigurationEntry), archive.ReadJson<JsonObject>(GenerationEntry))
            : null;
        var tokenizer = description.HasNoTokenizer ? published!.CreateIdsOnly() : ReadTokenizer(archive, description, registration);
        var network = published?.Model ?? (description.Custom is { } custom
            ? new NetworkFactory(custom.Name, registration!.Factory, tokenizer, custom.ContextLength).Create(seed: 0)
            : Gpt2Model.CreateUninitialized(description.Configuration!));
        try
        {
            // First, because a nn.Linear takes no adapter along.
            network.to(device);
            var adapters = description.Adapters is null ? null : AttachAdapters(network, description.Adapters, seed: 0);
            archive.Read(WeightsEntry, (stream, length) => ReadWeights(network, stream, length));
            return new TrainedLanguageModel(network, tokenizer, adapters, published);
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    /// <summary>Writes a folder that Hugging Face's tools read: network and tokenizer.</summary>
    /// <param name="folder">The folder; created if it is missing.</param>
    /// <exception cref="InvalidOperationException">The network has adapters, or a weight that is not finite.</exception>
    /// <exception cref="NotSupportedException">Hugging Face's files have no keys for what this network computes.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void SaveAsHuggingFace(string folder)
    {
        using var use = Use();
        if (Adapters is not null)
            throw new InvalidOperationException("The model has low-rank adapters, which its published form has no place for: merge them first, or save them by themselves.");
        if (Network.Custom is { } custom)
            throw new NotSupportedException($"The custom model '{custom.Factory.Name}' cannot be saved in Hugging Face's layout, which has no place for a network of your own: save it by mlContext.Model.Save.");
        RequireFiniteWeights();
        var files = _published ?? new HuggingFaceModel(Network, Tokenizer.EndOfTextId);
        files.Save(folder, Tokenizer.Files.Select(file => KeyValuePair.Create<string, Action<Stream>>(file.Name, stream => stream.Write(file.Content.Span))));
    }

    /// <summary>Writes the adapters in PEFT's layout.</summary>
    /// <param name="folder">The folder; created if it is missing.</param>
    /// <param name="baseModel">The folder of the model that they belong to; null for none.</param>
    /// <exception cref="InvalidOperationException">The network has no adapters, or a weight that is not finite.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void SaveAdapters(string folder, string? baseModel)
    {
        using var use = Use();
        var adapters = Adapters
            ?? throw new InvalidOperationException($"The model has no low-rank adapters: it was trained without {nameof(CausalLanguageModelTrainer.Options.Adapters)}, or they have been merged.");
        RequireFiniteWeights();
        HuggingFaceAdapters.Save(adapters, folder, baseModel);
    }

    /// <summary>Begins a call that uses the network. A model that is disposed meanwhile keeps its network until the call ends.</summary>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public NetworkLifetime.Call Use() => Network.Lifetime.Use();

    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void ThrowIfDisposed() => Network.Lifetime.ThrowIfClosed();

    /// <summary>Frees the network, when the calls that use it have ended; does not wait for them.</summary>
    public void Dispose() => Network.Lifetime.Close();

    // What a training that diverged has left must not look like a model.
    private void RequireFiniteWeights()
    {
        if (FiniteWeights.FindFault(Network, PublishedNames) is { } fault)
            throw new InvalidOperationException($"The model cannot be saved: {fault}.");
    }

    private static void ReadWeights(CausalLanguageModel network, Stream stream, long length)
    {
        if (network.Custom is { } custom)
            ModuleWeights.Load(custom.Module, stream, length, $"the module that the factory registered as '{custom.Factory.Name}' creates");
        else
            ModuleWeights.Load(network, stream, length);
    }

    private static ILanguageTokenizer ReadTokenizer(ArchiveReader archive, ModelDescription description, CustomModels.Registration? registration) =>
        description.TokenizerFiles is { } names ? TokenizerFolder.Load([.. names.Select(name => ReadFile(archive, name))])
        : !description.HasRegisteredTokenizer ? new ByteLevelTokenizer()
        : registration?.Tokenizer ?? throw new InvalidOperationException(
            $"The saved custom model '{description.Custom?.Name}' has a tokenizer of a class of your own, which is not registered: pass it to mlContext.CausalLanguageModeling.RegisterModel with the factory.");

    private static TokenizerFile ReadFile(ArchiveReader archive, string name)
    {
        byte[] content = [];
        archive.Read(name, (stream, length) =>
        {
            content = new byte[length];
            stream.ReadExactly(content);
        });
        return new TokenizerFile(name, content);
    }
}
