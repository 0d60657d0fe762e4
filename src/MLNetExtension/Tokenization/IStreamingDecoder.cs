using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tokenization;

/// <summary>
/// Turns token ids that arrive one at a time into text: every piece is whole characters, never half of a surrogate pair, and the pieces
/// put together are what the tokenizer decodes from all ids at once. One text, one decoder.
/// </summary>
internal interface IStreamingDecoder
{
    /// <summary>Takes one id in and gives the text that is settled by it, often none.</summary>
    /// <exception cref="InvalidOperationException">The tokenizer cannot decode the id.</exception>
    string Append(int id);

    /// <summary>Gives what is left when no more ids come.</summary>
    string Flush();
}

internal static class StreamingDecoder
{
    /// <summary>A decoder for one text in the tokens of <paramref name="tokenizer"/>.</summary>
    public static IStreamingDecoder For(Tokenizer tokenizer) =>
        tokenizer switch
        {
            ByteLevelTokenizer => new TokenBytesStreamingDecoder(ByteLevelTokenizer.BytesOf),
            HuggingFaceTokenizer byteLevel => new TokenBytesStreamingDecoder(byteLevel.BytesOf),
            _ => new WindowStreamingDecoder(tokenizer),
        };
}
