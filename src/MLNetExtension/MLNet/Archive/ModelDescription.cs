using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;

namespace MLNetExtension.MLNet.Archive;

/// <summary>What a saved model says of its network and tokenizer.</summary>
/// <param name="Architecture">The kind of network.</param>
/// <param name="Configuration">Its dimensions, where it was made here; null where entries of their own describe it.</param>
/// <param name="Tokenizer">The kind of tokenizer.</param>
/// <param name="TokenizerFiles">Entries that make it; null where its kind says everything.</param>
/// <param name="Adapters">What the low-rank adapters are like that the network has; null where it has none.</param>
internal sealed record ModelDescription(
    string Architecture, Gpt2Configuration? Configuration, string Tokenizer, IReadOnlyList<string>? TokenizerFiles = null, LoraOptions? Adapters = null)
{
    /// <summary>A GPT-2 network that was made here.</summary>
    public const string Gpt2 = "gpt2";

    /// <summary>A network that <c>config.json</c> describes.</summary>
    public const string HuggingFace = "huggingface";

    /// <summary>The tokenizer of bytes.</summary>
    public const string ByteLevel = "bytes";

    /// <summary>A tokenizer made of files.</summary>
    public const string Files = "files";

    /// <exception cref="InvalidDataException">This library has no such network or tokenizer.</exception>
    public void Check(string entry)
    {
        if (Architecture is not (Gpt2 or HuggingFace) || (Architecture == Gpt2) != Configuration is not null)
            throw new InvalidDataException($"The saved model's entry '{entry}' has the architecture '{Architecture}' {(Configuration is null ? "without" : "with")} a configuration, expected '{Gpt2}' with one or '{HuggingFace}' without.");
        if (Tokenizer is not (ByteLevel or Files) || (Tokenizer == Files) != TokenizerFiles is not null)
            throw new InvalidDataException($"The saved model's entry '{entry}' has the tokenizer '{Tokenizer}' {(TokenizerFiles is null ? "without" : "with")} files, expected '{ByteLevel}' without or '{Files}' with them.");
    }
}
