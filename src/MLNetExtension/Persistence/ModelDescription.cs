using MLNetExtension.Models;

namespace MLNetExtension.Persistence;

/// <summary>What a saved model says of its network and tokenizer.</summary>
/// <param name="Architecture">The kind of network.</param>
/// <param name="Configuration">Its dimensions.</param>
/// <param name="Tokenizer">The kind of tokenizer.</param>
internal sealed record ModelDescription(string Architecture, Gpt2Configuration Configuration, string Tokenizer)
{
    public const string Gpt2 = "gpt2";
    public const string ByteLevel = "bytes";

    /// <exception cref="InvalidDataException">This library has no such network or tokenizer.</exception>
    public void Check(string entry)
    {
        if (Architecture != Gpt2)
            throw new InvalidDataException($"The saved model's entry '{entry}' has the architecture '{Architecture}', expected '{Gpt2}'.");
        if (Tokenizer != ByteLevel)
            throw new InvalidDataException($"The saved model's entry '{entry}' has the tokenizer '{Tokenizer}', expected '{ByteLevel}'.");
    }
}
