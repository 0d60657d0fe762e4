using System.IO.Compression;
using MLNetExtension.Files;
using MLNetExtension.Formats;
using MLNetExtension.Formats.Gguf;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Formats.Onnx;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using MLNetExtension.Safetensors;
using MLNetExtension.Tokenization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.MLNet.Archive;

/// <summary>A trained network with what is needed to use it: tokenizer, configuration, adapters. It owns the network.</summary>
internal sealed class TrainedLanguageModel : IDisposable
{
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

    /// <summary>What the network's parameters are in Hugging Face's files.</summary>
    public ParameterNames PublishedNames => HuggingFaceConfiguration.ListNames(Network);

    /// <summary>Loads adapters in PEFT's layout onto the network, ready for use.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="NotSupportedException">The network is one of a user's own.</exception>
    public void LoadAdapters(string folder)
    {
        using var use = Use();
        if (Network.Custom is { } custom)
            throw new NotSupportedException($"Adapters cannot be loaded onto the custom model '{custom.Factory.Name}': mlContext.Model.Load gives a saved model with its adapters.");
        Adapters = HuggingFaceAdapters.Load(Network, folder);
        Network.eval();
        Adapters.FixNorms();
    }

    /// <summary>Adds the adapters to the network's own weights.</summary>
    public void MergeAdapters()
    {
        using var use = Use();
        Adapters?.Merge();
        Adapters = null;
    }

    /// <summary>Copies the network, with adapters merged.</summary>
    /// <param name="dtype">Type of the copy's weights.</param>
    /// <param name="adapters">The adapters that the copy is to have, whose <see cref="LoraOptions.BasePrecision"/> its weights are stored in; null for none.</param>
    /// <param name="published">The published model that the copy is of; null for others.</param>
    /// <returns>A network on the CPU, all of whose weights are trained.</returns>
    /// <exception cref="NotSupportedException">It is a network of a user's own and has adapters.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public CausalLanguageModel CopyNetwork(ScalarType dtype, LoraOptions? adapters, out HuggingFaceModel? published)
    {
        using var use = Use();
        if (Network.Custom is { } custom && Adapters is not null)
            throw new NotSupportedException($"The custom model '{custom.Factory.Name}' has low-rank adapters, and cannot be trained further so: call {nameof(CausalLanguageModelTransformer.MergeAdapters)} before.");
        published = _published is null ? null : HuggingFaceModel.CreateUninitialized(_published.ConfigurationJson, _published.GenerationJson);
        CausalLanguageModel copy = published?.Model ?? Network.Custom?.Factory.Create(seed: 0) ?? Gpt2Model.CreateUninitialized(((Gpt2Model)Network).Configuration);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        copy.to(dtype);
        if (copy.Custom is null && adapters is not null)
            HuggingFaceAdapters.StoreBase(copy, adapters, keepsValues: false);
        MergedWeights merged = new(Network);
        Dictionary<string, AdaptableLinear> linears = HuggingFaceAdapters.ListLinears(copy);
        foreach ((string name, Parameter parameter) in copy.named_parameters())
        {
            using var one = NewDisposeScope();
            Tensor values = merged.Find(name);
            if (linears.TryGetValue(name, out AdaptableLinear? linear))
                linear.Weight.Store(0, values);
            else
                parameter.copy_(values);
        }
        var buffers = Network.named_buffers().ToDictionary(pair => pair.name, pair => pair.buffer);
        foreach ((string name, Tensor buffer) in copy.named_buffers().Where(pair => !AdaptableLinear.OwnsScales(pair.name)))
            buffer.copy_(buffers[name]);
        return copy;
    }

    /// <summary>Hashes the weights (SHA-256, in hexadecimal), adapters included.</summary>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public string HashWeights()
    {
        using var use = Use();
        using HashingStream hash = new(Stream.Null);
        ModuleWeights.Save(Network.Custom?.Module ?? Network, hash);
        return hash.Hash;
    }

    /// <summary>Attaches new adapters to a network, and freezes its own weights. Without a seed they are zero, for a loader that sets every one of their weights.</summary>
    /// <exception cref="ArgumentException">A name in the options matches nothing, or the rank is larger than a layer's own, where that matters.</exception>
    public static LoraAdapters AttachAdapters(CausalLanguageModel network, LoraOptions options, long? seed) =>
        network.Custom?.AttachAdapters(options, seed) ?? HuggingFaceAdapters.Attach(network, options, seed);

    /// <summary>Writes configuration, tokenizer and weights as entries.</summary>
    /// <exception cref="InvalidOperationException">A weight is not finite; the message names it.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void Save(ArchiveWriter archive)
    {
        using var use = Use();
        RequireFiniteWeights();
        var description = ModelDescription.Of(this);
        archive.WriteJson(ModelLoader.DescriptionEntry, description);
        if (_published is not null)
        {
            archive.WriteJson(ModelLoader.ConfigurationEntry, _published.ConfigurationJson);
            archive.WriteJson(ModelLoader.GenerationEntry, _published.GenerationJson);
        }
        foreach (var file in description.TokenizerFiles is null ? [] : Tokenizer.Files)
            archive.Write(file.Name, stream => stream.Write(file.Content.Span));
        // Under the names of this library's modules, or of the user's; adapters included. Last, with the hash of all that has been written.
        var metadata = new Dictionary<string, string> { [ModelLoader.OthersHash] = archive.HashOfOthers(ModelLoader.WeightsEntry) };
        // Not compressed: of trained weights that would save 4 percent, and takes a hundred times as long as writing them.
        archive.Write(ModelLoader.WeightsEntry, stream => ModuleWeights.Save(Network.Custom?.Module ?? Network, stream, metadata), CompressionLevel.NoCompression);
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
        files.Save(folder, TokenizerFolder.FilesForOthers(Tokenizer).Select(file => KeyValuePair.Create<string, Action<Stream>>(file.Name, stream => stream.Write(file.Content.Span))));
    }

    /// <summary>Writes a folder that ONNX Runtime and its GenAI read: network, tokenizer and configuration. Adapters are merged into what is written.</summary>
    /// <param name="folder">The folder; created if it is missing.</param>
    /// <exception cref="InvalidOperationException">A weight is not finite.</exception>
    /// <exception cref="NotSupportedException">The network is one that cannot be written as ONNX.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void SaveAsOnnx(string folder)
    {
        using var use = Use();
        if (Network.Custom is { } custom)
            throw new NotSupportedException($"The custom model '{custom.Factory.Name}' cannot be saved as ONNX: what a network of your own computes is not known here. Save it by mlContext.Model.Save.");
        RequireFiniteWeights();
        int[] endIds = [.. EndIds.Append(Tokenizer.EndOfTextId).Distinct()];
        OnnxFolder.Save(Network, new SpecialTokens(_published?.BeginOfTextId ?? Tokenizer.BeginningOfTextId, endIds, _published?.PaddingId), TokenizerFolder.FilesForOthers(Tokenizer), folder);
    }

    /// <summary>Writes a GGUF file: network, with adapters merged into what is written, and tokenizer.</summary>
    /// <param name="path">The file, whose name ends in <c>.gguf</c>, or a folder, which gets <c>model.gguf</c>.</param>
    /// <param name="type">The type of matrices.</param>
    /// <returns>The file's path.</returns>
    /// <exception cref="InvalidOperationException">A weight is not finite.</exception>
    /// <exception cref="NotSupportedException">The format cannot say what this network or its tokenizer does, or a weight is too large for the type.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public string SaveAsGguf(string path, GgufType type)
    {
        using var use = Use();
        if (Network.Custom is { } custom)
            throw new NotSupportedException($"The custom model '{custom.Factory.Name}' cannot be saved as GGUF, which has no place for a network of your own: save it by mlContext.Model.Save.");
        RequireFiniteWeights();
        return GgufModel.Save(path, Network, Tokenizer, new SpecialTokens(_published?.BeginOfTextId, EndIds, _published?.PaddingId), type);
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
}
