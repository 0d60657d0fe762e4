using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.Streaming;

/// <summary>
/// Decodes token ids that arrive one at a time. Every piece is whole characters, never half of a surrogate pair, and the pieces put together are
/// what the tokenizer decodes from all ids at once. Use one decoder for one text.
/// </summary>
internal interface IStreamingDecoder
{
    /// <summary>Adds an id and returns the text that it completes, often none.</summary>
    /// <exception cref="InvalidOperationException">The tokenizer cannot decode the id.</exception>
    string Append(int id);

    /// <summary>Returns what is left when no more ids come.</summary>
    string Flush();
}

/// <summary>Creates streaming decoders.</summary>
internal static class StreamingDecoder
{
    /// <summary>Creates a decoder for one text in the tokens of <paramref name="tokenizer"/>.</summary>
    public static IStreamingDecoder Create(ILanguageTokenizer tokenizer) =>
        tokenizer is ByteTokenizer { DecodesStartDifferently: false } bytes ? new ByteStreamingDecoder(bytes) : new OverlapStreamingDecoder(tokenizer);
}
