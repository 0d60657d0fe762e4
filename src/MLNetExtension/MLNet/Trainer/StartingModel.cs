using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>What a training begins with: a new network, or a published one. Its tokenizer is known before the network is made, so that rows can be read first.</summary>
internal sealed class StartingModel
{
    private readonly CausalLanguageModelTrainer.Options _options;

    private StartingModel(CausalLanguageModelTrainer.Options options, ILanguageTokenizer tokenizer, int contextLength) =>
        (_options, Tokenizer, ContextLength) = (options, tokenizer, contextLength);

    public ILanguageTokenizer Tokenizer { get; }

    /// <summary>Most tokens of a row.</summary>
    public int ContextLength { get; }

    /// <summary>Reads what is known without the weights.</summary>
    /// <exception cref="DirectoryNotFoundException">A folder that the options name does not exist.</exception>
    /// <exception cref="FileNotFoundException">A file in it is missing.</exception>
    /// <exception cref="InvalidDataException">A file in it is damaged.</exception>
    /// <exception cref="NotSupportedException">The model is of a kind that is not supported.</exception>
    public static StartingModel Open(CausalLanguageModelTrainer.Options options)
    {
        if (options.PretrainedFolder is not { } folder)
        {
            ILanguageTokenizer own = options.TokenizerFolder is { } tokens ? TokenizerFolder.Load(tokens) : new ByteLevelTokenizer();
            return new StartingModel(options, own, options.ContextLength);
        }
        var (contextLength, vocabularySize) = HuggingFaceModel.ReadSizes(folder);
        var tokenizer = TokenizerFolder.Load(folder);
        if (tokenizer.VocabularySize > vocabularySize)
            throw new InvalidDataException($"{folder}: the tokenizer has {tokenizer.VocabularySize} ids, but the model's vocabulary only {vocabularySize}.");
        return new StartingModel(options, tokenizer, Math.Min(options.ContextLength, contextLength));
    }

    /// <summary>Makes the network, with adapters where the options ask for them.</summary>
    /// <param name="device">Where it is to be.</param>
    /// <param name="seed">Seed of what is drawn for it.</param>
    public TrainedLanguageModel Make(Device device, int seed)
    {
        if (_options.PretrainedFolder is not { } folder)
        {
            var network = new Gpt2Model(_options.ModelConfiguration(Tokenizer.VocabularySize), seed);
            return Made(network, () => new TrainedLanguageModel(network, Tokenizer, Adapt(network, device, seed)));
        }
        // What is frozen can stay in half precision; what is trained is kept in full.
        bool half = _options.Lora is not null && _options.ComputePrecision == ComputePrecision.BFloat16;
        var published = HuggingFaceModel.Load(folder, half ? ScalarType.BFloat16 : ScalarType.Float32);
        return Made(published.Model, () => new TrainedLanguageModel(published, Tokenizer, Adapt(published.Model, device, seed)));
    }

    private LoraAdapters? Adapt(CausalLanguageModel network, Device device, int seed)
    {
        network.to(device);
        return _options.Lora is null ? null : HuggingFaceAdapters.Attach(network, _options.Lora, seed);
    }

    private static TrainedLanguageModel Made(CausalLanguageModel network, Func<TrainedLanguageModel> make)
    {
        try
        {
            return make();
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }
}
