using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using MLNetExtension.Safetensors;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.MLNet.Archive;

/// <summary>Reads what <see cref="TrainedLanguageModel.Save"/> wrote. The header of the weights is compared with the description before a network is created, so that a description that claims more than the archive holds takes no memory.</summary>
internal static class ModelLoader
{
    public const string DescriptionEntry = "model.json", WeightsEntry = "weights.safetensors";
    public const string ConfigurationEntry = "config.json", GenerationEntry = "generation_config.json";

    /// <summary>The name, among the texts in the weights' header, of the hash of all other entries. Archives of earlier versions have none.</summary>
    public const string OthersHash = "mlnetextension.entries.sha256";

    /// <summary>Loads a model.</summary>
    /// <param name="archive">The archive.</param>
    /// <param name="device">The device for the network.</param>
    /// <param name="customModels">The networks of the user's own that may be loaded.</param>
    /// <exception cref="InvalidDataException">An entry is missing or damaged, or was not saved with the others, or the factory of a custom model creates another module than the one saved; the message names it.</exception>
    /// <exception cref="InvalidOperationException">The model is a custom one that is not registered, or its factory or tokenizer does not suit it.</exception>
    public static TrainedLanguageModel Load(ArchiveReader archive, Device device, CustomModels customModels)
    {
        Parts parts = ReadParts(archive, customModels);
        TrainedLanguageModel? model = null;
        try
        {
            archive.Read(WeightsEntry, (stream, length) =>
            {
                IReadOnlyList<SafetensorsEntry> header = SafetensorsHeader.Read(stream, length, out var metadata);
                CheckHeader(header, parts);
                if (metadata.TryGetValue(OthersHash, out string? hash) && hash != archive.HashOfOthers(WeightsEntry))
                    throw new InvalidDataException("it was not saved with the other entries as they are now: one of them has been edited, or is another model's.");
                model = Create(parts, device);
                Fill(model.Network, header, stream);
                model.Adapters?.FixNorms();
            });
            return model!;
        }
        catch
        {
            model?.Dispose();
            throw;
        }
    }

    private static Parts ReadParts(ArchiveReader archive, CustomModels customModels)
    {
        var description = archive.ReadJson<ModelDescription>(DescriptionEntry);
        description.Check(DescriptionEntry);
        var registration = description.Custom is null ? null : customModels.Find(description.Custom.Name);
        PublishedFiles? files = description.Custom is null && description.Configuration is null ? ReadPublished(archive) : null;
        var tokenizer = files is not null && description.HasNoTokenizer ? files.Description.CreateIdsOnly() : ReadTokenizer(archive, description, registration);
        return new Parts(description, tokenizer, registration, files);
    }

    private static PublishedFiles ReadPublished(ArchiveReader archive)
    {
        JsonObject configuration = archive.ReadJson<JsonObject>(ConfigurationEntry), generation = archive.ReadJson<JsonObject>(GenerationEntry);
        return new PublishedFiles(configuration, generation, HuggingFaceModel.Describe(configuration, generation));
    }

    private static ILanguageTokenizer ReadTokenizer(ArchiveReader archive, ModelDescription description, CustomModels.Registration? registration) =>
        description.TokenizerFiles is { } names ? TokenizerFolder.Load([.. names.Select(name => new TokenizerFile(name, archive.ReadBytes(name)))])
        : !description.HasRegisteredTokenizer ? new ByteLevelTokenizer()
        : registration?.Tokenizer ?? throw new InvalidOperationException(
            $"The saved custom model '{description.Custom?.Name}' has a tokenizer of a class of your own, which is not registered: pass it to mlContext.CausalLanguageModeling.RegisterModel with the factory.");

    // What a factory of the user's own creates is not known before.
    private static void CheckHeader(IReadOnlyList<SafetensorsEntry> header, Parts parts)
    {
        IEnumerable<SafetensorsEntry> own = header;
        if (parts.Description.Adapters is { } adapters)
        {
            ILookup<bool, SafetensorsEntry> split = header.ToLookup(entry => LowRankAdapter.Owns(entry.Name));
            IEnumerable<SafetensorsEntry> matrices = split[true].Where(entry => entry.Shape.Length > 1);
            if (!matrices.Any() || matrices.Any(entry => LowRankAdapter.RankOf(entry.Name, entry.Shape) != adapters.Rank))
                throw new InvalidDataException($"it has no adapters, or some of another rank than {adapters.Rank}, which '{DescriptionEntry}' names.");
            // The integers' scales are compared when they are read; each belongs to a weight that is looked at here.
            own = split[false].Where(entry => adapters.BaseType != ScalarType.Int8 || !AdaptableLinear.OwnsScales(entry.Name));
        }
        if (parts.Parameters is { } parameters)
            ModuleWeights.Check(own, parameters, "this model");
    }

    private static TrainedLanguageModel Create(Parts parts, Device device)
    {
        HuggingFaceModel? published = parts.Files is { } files ? HuggingFaceModel.CreateUninitialized(files.Configuration, files.Generation) : null;
        CausalLanguageModel network = published?.Model ?? (parts.Description.Custom is { } custom
            ? new NetworkFactory(custom.Name, parts.Registration!.Factory, parts.Tokenizer, custom.ContextLength).Create(seed: 0)
            : Gpt2Model.CreateUninitialized(parts.Description.Configuration!));
        try
        {
            // First, because a nn.Linear takes no adapter along.
            network.to(device);
            if (network.Custom is null && parts.Description.Adapters is { } stored)
                HuggingFaceAdapters.StoreBase(network, stored, keepsValues: false);
            LoraAdapters? adapters = parts.Description.Adapters is { } options ? TrainedLanguageModel.AttachAdapters(network, options, seed: null) : null;
            return new TrainedLanguageModel(network, parts.Tokenizer, adapters, published);
        }
        catch (ArgumentException exception)
        {
            network.Dispose();
            throw new InvalidDataException($"'{DescriptionEntry}' does not fit it: {Excerpt.OfSentence(exception)}");
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    private static void Fill(CausalLanguageModel network, IReadOnlyList<SafetensorsEntry> header, Stream stream)
    {
        if (network.Custom is { } custom)
            ModuleWeights.Fill(custom.Module, header, stream, $"the module that the factory registered as '{custom.Factory.Name}' creates");
        else
            ModuleWeights.Fill(network, header, stream, "this model");
    }

    /// <summary>What an archive says of a model, without its weights.</summary>
    /// <param name="Description">Network, tokenizer and adapters.</param>
    /// <param name="Tokenizer">The tokenizer.</param>
    /// <param name="Registration">The factory, for a network of the user's own; null for others.</param>
    /// <param name="Files">The files of a published model; null for others.</param>
    private sealed record Parts(ModelDescription Description, ILanguageTokenizer Tokenizer, CustomModels.Registration? Registration, PublishedFiles? Files)
    {
        /// <summary>The parameters of the network; null for one of the user's own.</summary>
        public IEnumerable<(string Name, long[] Shape)>? Parameters =>
            Files?.Description.Architecture.Parameters ?? (Description.Configuration is { } gpt2 ? Gpt2Parameters.List(gpt2) : null);
    }

    private sealed record PublishedFiles(JsonObject Configuration, JsonObject Generation, PublishedDescription Description);
}
