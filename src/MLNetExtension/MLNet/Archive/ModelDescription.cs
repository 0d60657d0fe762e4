using MLNetExtension.Files;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.MLNet.Archive;

/// <summary>Which network and tokenizer a saved model has.</summary>
/// <param name="Architecture">The kind of network.</param>
/// <param name="Configuration">Its sizes, for a GPT-2 network; null for others.</param>
/// <param name="Tokenizer">The kind of tokenizer.</param>
/// <param name="TokenizerFiles">Names of the entries with its files; null for other kinds.</param>
/// <param name="Adapters">Settings of the network's low-rank adapters; null where it has none.</param>
/// <param name="Custom">For a network of a user's own, what it is registered as; null for others.</param>
internal sealed record ModelDescription(
    string Architecture, Gpt2Configuration? Configuration, string Tokenizer, IReadOnlyList<string>? TokenizerFiles = null, LoraOptions? Adapters = null, ModelDescription.CustomReference? Custom = null)
{
    private const string Gpt2Network = "gpt2", HuggingFaceNetwork = "huggingface", CustomNetwork = "custom";
    private const string Bytes = "bytes", Files = "files", None = "none", Registered = "registered";

    /// <summary>Whether there is no tokenizer: the model reads and returns token ids.</summary>
    public bool HasNoTokenizer => Tokenizer == None;

    /// <summary>Whether the tokenizer is of a class of the user's own, which is registered with the network.</summary>
    public bool HasRegisteredTokenizer => Tokenizer == Registered;

    /// <summary>Describes a model.</summary>
    public static ModelDescription Of(TrainedLanguageModel model)
    {
        var custom = model.Network.Custom?.Factory;
        var configuration = (model.Network as Gpt2Model)?.Configuration;
        string architecture = custom is not null ? CustomNetwork : model.IsPublished ? HuggingFaceNetwork : Gpt2Network;
        string tokenizer = model.Tokenizer switch
        {
            ByteLevelTokenizer => Bytes,
            TokenIdsOnly => None,
            HuggingFaceTokenizer or SentencePieceLanguageTokenizer => Files,
            _ => Registered,
        };
        return new ModelDescription(
            architecture,
            architecture == Gpt2Network ? configuration : null,
            tokenizer,
            tokenizer == Files ? [.. model.Tokenizer.Files.Select(file => file.Name)] : null,
            model.Adapters?.Options,
            custom is null ? null : new CustomReference(custom.Name, custom.ContextLength));
    }

    /// <summary>Checks that there are such a network and such a tokenizer.</summary>
    /// <param name="entry">The entry's name, for messages.</param>
    /// <exception cref="InvalidDataException">There are not, or a number is out of range.</exception>
    public void Check(string entry)
    {
        if (Architecture is not (Gpt2Network or HuggingFaceNetwork or CustomNetwork)
            || (Architecture == Gpt2Network) != Configuration is not null || (Architecture == CustomNetwork) != Custom is not null)
            throw new InvalidDataException($"The saved model's entry '{entry}' has the architecture '{Excerpt.Of(Architecture)}' {(Configuration is null ? "without" : "with")} a configuration, expected '{Gpt2Network}' with one, or '{HuggingFaceNetwork}' or '{CustomNetwork}' without.");
        if (Tokenizer is not (Bytes or Files or None or Registered) || (Tokenizer == None && Architecture != HuggingFaceNetwork) || (Tokenizer == Files) != TokenizerFiles is not null)
            throw new InvalidDataException($"The saved model's entry '{entry}' has the tokenizer '{Excerpt.Of(Tokenizer)}' {(TokenizerFiles is null ? "without" : "with")} files, expected '{Files}' with them, or '{Bytes}', '{None}' or '{Registered}' without.");
        Configuration?.Check($"The saved model's entry '{entry}'");
        if (Custom is { Name: "" } or { ContextLength: < 1 })
            throw new InvalidDataException($"The saved model's entry '{entry}' has the custom model '{Custom.Name}' with a context of {Custom.ContextLength} tokens, expected a name and at least 1.");
        try
        {
            Adapters?.Validate(nameof(Adapters));
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"The saved model's entry '{entry}': {Excerpt.OfSentence(exception)}");
        }
    }

    /// <param name="Name">The name that its factory is registered under.</param>
    /// <param name="ContextLength">Most positions of a row.</param>
    internal sealed record CustomReference(string Name, int ContextLength);
}
