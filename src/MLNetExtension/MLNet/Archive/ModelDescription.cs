using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;

namespace MLNetExtension.MLNet.Archive;

/// <summary>Which network and tokenizer a saved model has.</summary>
/// <param name="Architecture">The kind of network.</param>
/// <param name="Configuration">Its sizes, for a GPT-2 network; null where other entries describe the network.</param>
/// <param name="Tokenizer">The kind of tokenizer.</param>
/// <param name="TokenizerFiles">Names of the entries with its files; null for the tokenizer of bytes, and where there is none.</param>
/// <param name="Adapters">Settings of the network's low-rank adapters; null where it has none.</param>
internal sealed record ModelDescription(
    string Architecture, Gpt2Configuration? Configuration, string Tokenizer, IReadOnlyList<string>? TokenizerFiles = null, LoraOptions? Adapters = null)
{
    /// <summary>A GPT-2 network that this library created.</summary>
    public const string Gpt2 = "gpt2";

    /// <summary>A network that <c>config.json</c> describes.</summary>
    public const string HuggingFace = "huggingface";

    /// <summary>The tokenizer of bytes.</summary>
    public const string ByteLevel = "bytes";

    /// <summary>A tokenizer made of files.</summary>
    public const string Files = "files";

    /// <summary>No tokenizer: the model reads and gives token ids.</summary>
    public const string None = "none";

    /// <summary>Checks that there are such a network and such a tokenizer.</summary>
    /// <param name="entry">The entry's name, for messages.</param>
    /// <exception cref="InvalidDataException">There are not.</exception>
    public void Check(string entry)
    {
        if (Architecture is not (Gpt2 or HuggingFace) || (Architecture == Gpt2) != Configuration is not null)
            throw new InvalidDataException($"The saved model's entry '{entry}' has the architecture '{Architecture}' {(Configuration is null ? "without" : "with")} a configuration, expected '{Gpt2}' with one or '{HuggingFace}' without.");
        if (Tokenizer is not (ByteLevel or Files or None) || (Tokenizer == None && Architecture != HuggingFace) || (Tokenizer == Files) != TokenizerFiles is not null)
            throw new InvalidDataException($"The saved model's entry '{entry}' has the tokenizer '{Tokenizer}' {(TokenizerFiles is null ? "without" : "with")} files, expected '{ByteLevel}' without or '{Files}' with them.");
    }
}
