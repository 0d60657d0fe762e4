using System.Diagnostics;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>The model that training starts from: a new network, a published one, or one of the user's own. Its tokenizer is known before the network is made, so that rows can be read first.</summary>
internal sealed class StartingModel
{
    private readonly CausalLanguageModelTrainer.Options _options;

    private StartingModel(CausalLanguageModelTrainer.Options options, LoadedTokenizer tokenizer, int contextLength) =>
        (_options, Tokenizer, Notes, ContextLength) = (options, tokenizer.Tokenizer, tokenizer.Notes, contextLength);

    public ILanguageTokenizer Tokenizer { get; }

    /// <summary>Sentences for the log about how the tokenizer was read.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>Most tokens of a row.</summary>
    public int ContextLength { get; }

    /// <summary>Reads what is known without the weights.</summary>
    /// <exception cref="DirectoryNotFoundException">A folder that the options name does not exist.</exception>
    /// <exception cref="FileNotFoundException">A file in it is missing.</exception>
    /// <exception cref="InvalidDataException">A file in it is damaged.</exception>
    /// <exception cref="NotSupportedException">The model is of a kind that is not supported.</exception>
    public static StartingModel Open(CausalLanguageModelTrainer.Options options)
    {
        if (options.Model is LanguageModel.PretrainedModel pretrained)
            return OpenPretrained(options, pretrained);
        if (options.Model is LanguageModel.TrainedModel { Source.Model: var source } trained)
            return new StartingModel(options, new(source.Tokenizer, []), Math.Min(trained.ContextLength, source.Network.ContextLength));
        LoadedTokenizer tokenizer = options.Model switch
        {
            LanguageModel.Gpt2Network { TokenizerFolder: { } folder } => TokenizerFolder.Open(folder),
            LanguageModel.CustomModel custom => new(custom.ToFactory().Tokenizer, []),
            _ => new(new ByteLevelTokenizer(), []),
        };
        return new StartingModel(options, tokenizer, options.Model.ContextLength);
    }

    /// <summary>Creates the network, with adapters where the options ask for them.</summary>
    /// <param name="device">Where it is to be.</param>
    /// <param name="seed">Seed of what is drawn for it.</param>
    public TrainedLanguageModel Create(Device device, int seed)
    {
        // What is frozen can stay in half precision; what is trained is kept in full, and so is all of a model some of whose own weights are.
        ScalarType dtype = _options.Adapters is { TrainedModules.Count: 0 } && _options.Batching.Precision == ComputePrecision.BFloat16 ? ScalarType.BFloat16 : ScalarType.Float32;
        HuggingFaceModel? published = null;
        CausalLanguageModel network = _options.Model switch
        {
            LanguageModel.TrainedModel trained => trained.Source.Model.CopyNetwork(dtype, _options.Adapters, out published),
            LanguageModel.PretrainedModel pretrained => (published = HuggingFaceModel.Load(pretrained.Folder, dtype, pretrained.Dropout, _options.Adapters)).Model,
            LanguageModel.CustomModel custom => custom.ToFactory().Create(seed),
            LanguageModel.Gpt2Network sizes => new Gpt2Model(sizes.ToConfiguration(Tokenizer.VocabularySize), seed),
            _ => throw new UnreachableException(),
        };
        try
        {
            if (network.Custom is not null && dtype != ScalarType.Float32)
                network.to(dtype);
            if (_options is { Model: LanguageModel.Gpt2Network, Adapters: { BaseType: not null } adapted })
            {
                network.to(dtype);
                HuggingFaceAdapters.StoreBase(network, adapted, keepsValues: true);
            }
            network.to(device);
            var adapters = _options.Adapters is null ? null : TrainedLanguageModel.AttachAdapters(network, _options.Adapters, seed);
            return new TrainedLanguageModel(network, Tokenizer, adapters, published);
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    private static StartingModel OpenPretrained(CausalLanguageModelTrainer.Options options, LanguageModel.PretrainedModel model)
    {
        var published = HuggingFaceModel.ReadDescription(model.Folder);
        LoadedTokenizer tokenizer = TokenizerFolder.HasTokenizer(model.Folder) ? TokenizerFolder.Open(model.Folder)
            : new(published.CreateIdsOnly(), [$"{model.Folder} has no tokenizer files: the model is trained on token ids alone."]);
        int vocabularySize = published.Architecture.VocabularySize;
        if (tokenizer.Tokenizer.VocabularySize > vocabularySize)
            throw new InvalidDataException($"{model.Folder}: the tokenizer has {tokenizer.Tokenizer.VocabularySize} ids, but the model's vocabulary only {vocabularySize}.");
        return new StartingModel(options, tokenizer, Math.Min(model.ContextLength, published.Architecture.ContextLength));
    }
}
