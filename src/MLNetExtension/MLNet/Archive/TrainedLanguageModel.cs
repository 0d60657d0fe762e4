using System.Text.Json.Nodes;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
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
    private bool _disposed;

    /// <param name="network">Owned by this object: detached from every dispose scope, and disposed with this object.</param>
    /// <param name="tokenizer">Its ids are below the network's vocabulary size.</param>
    /// <param name="adapters">The network's adapters; null where it has none.</param>
    public TrainedLanguageModel(Gpt2Model network, ILanguageTokenizer tokenizer, LoraAdapters? adapters = null)
        : this(network, tokenizer, null, adapters)
    {
    }

    /// <param name="published">Owned by this object, like its network.</param>
    /// <param name="tokenizer">Its ids are below the network's vocabulary size.</param>
    /// <param name="adapters">The network's adapters; null where it has none.</param>
    public TrainedLanguageModel(HuggingFaceModel published, ILanguageTokenizer tokenizer, LoraAdapters? adapters = null)
        : this(published.Model, tokenizer, published, adapters)
    {
    }

    private TrainedLanguageModel(CausalLanguageModel network, ILanguageTokenizer tokenizer, HuggingFaceModel? published, LoraAdapters? adapters)
    {
        // The caller may train inside a dispose scope; the model outlives it.
        foreach (var tensor in network.parameters().Concat(network.buffers()))
            tensor.DetachFromDisposeScope();
        network.eval();
        (Network, Tokenizer, _published, Adapters) = (network, tokenizer, published, adapters);
    }

    public CausalLanguageModel Network
    {
        get
        {
            ThrowIfDisposed();
            return field;
        }
    }

    public ILanguageTokenizer Tokenizer { get; }

    /// <summary>Ids that end a text according to the published model's files, besides the tokenizer's end-of-text.</summary>
    public IReadOnlyList<int> EndIds => _published?.EndOfTextIds ?? [];

    /// <summary>The network's adapters; null where it has none or they have been merged.</summary>
    public LoraAdapters? Adapters { get; private set; }

    /// <summary>For parameters of the network, their names in Hugging Face's files.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> PublishedNames => HuggingFaceConfiguration.ListNames(Network);

    /// <summary>Adds the adapters to the network's own weights.</summary>
    public void MergeAdapters()
    {
        ThrowIfDisposed();
        Adapters?.Merge();
        Adapters = null;
    }

    /// <summary>Writes configuration, tokenizer and weights as entries.</summary>
    public void Save(ArchiveWriter archive)
    {
        string tokenizer = Tokenizer switch
        {
            ByteLevelTokenizer => ModelDescription.ByteLevel,
            TokenIdsOnly => ModelDescription.None,
            _ => ModelDescription.Files,
        };
        var files = tokenizer == ModelDescription.Files ? Tokenizer.Files : [];
        archive.WriteJson(DescriptionEntry, new ModelDescription(
            _published is null ? ModelDescription.Gpt2 : ModelDescription.HuggingFace,
            _published is null ? ((Gpt2Model)Network).Configuration : null,
            tokenizer,
            tokenizer == ModelDescription.Files ? [.. files.Select(file => file.Name)] : null,
            Adapters?.Options));
        if (_published is not null)
        {
            archive.WriteJson(ConfigurationEntry, _published.ConfigurationJson);
            archive.WriteJson(GenerationEntry, _published.GenerationJson);
        }
        foreach (var file in files)
            archive.Write(file.Name, stream => stream.Write(file.Content.Span));
        // Under the names of this library's modules, adapters included.
        archive.Write(WeightsEntry, stream => ModuleWeights.Save(Network, stream));
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <param name="archive">The archive.</param>
    /// <param name="device">The device for the network.</param>
    /// <exception cref="InvalidDataException">An entry is missing or damaged; the message names it.</exception>
    public static TrainedLanguageModel Load(ArchiveReader archive, Device device)
    {
        var description = archive.ReadJson<ModelDescription>(DescriptionEntry);
        description.Check(DescriptionEntry);
        var published = description.Configuration is null
            ? HuggingFaceModel.CreateUninitialized(archive.ReadJson<JsonObject>(ConfigurationEntry), archive.ReadJson<JsonObject>(GenerationEntry))
            : null;
        var network = published?.Model ?? Gpt2Model.CreateUninitialized(description.Configuration!);
        try
        {
            ILanguageTokenizer tokenizer = description.TokenizerFiles is { } names ? TokenizerFolder.Load([.. names.Select(name => ReadFile(archive, name))])
                : description.Tokenizer == ModelDescription.None ? published!.CreateIdsOnly() : new ByteLevelTokenizer();
            var adapters = description.Adapters is null ? null : HuggingFaceAdapters.Attach(network, description.Adapters, seed: 0);
            archive.Read(WeightsEntry, (stream, length) => ModuleWeights.Load(network, stream, length));
            network.to(device);
            return new TrainedLanguageModel(network, tokenizer, published, adapters);
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    /// <summary>Writes a folder that Hugging Face's tools read: network and tokenizer.</summary>
    /// <param name="folder">The folder; created if it is missing.</param>
    /// <exception cref="InvalidOperationException">The network has adapters.</exception>
    /// <exception cref="NotSupportedException">Hugging Face's files have no keys for what this network computes.</exception>
    public void SaveAsHuggingFace(string folder)
    {
        if (Adapters is not null)
            throw new InvalidOperationException("The model has low-rank adapters, which its published form has no place for: merge them first, or save them by themselves.");
        var files = _published ?? new HuggingFaceModel(Network, Tokenizer.EndOfTextId);
        files.Save(folder, Tokenizer.Files.Select(file => KeyValuePair.Create<string, Action<Stream>>(file.Name, stream => stream.Write(file.Content.Span))));
    }

    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void ThrowIfDisposed()
    {
        if (_disposed)
            throw new ObjectDisposedException("CausalLanguageModelTransformer", "The causal language model has been disposed; a prediction engine disposes the model it was made with.");
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        Network.Dispose();
        _disposed = true;
    }

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
