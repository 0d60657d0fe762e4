#nullable enable
using System.Buffers;

namespace Microsoft.ML.Tokenizers;

/// <summary>There for its signatures: this substitute reads no SentencePiece model.</summary>
public class SentencePieceTokenizer : Tokenizer
{
    private const string Missing = "SentencePiece models need the genuine package Microsoft.ML.Tokenizers; this is a substitute for it.";

    internal SentencePieceTokenizer()
    {
    }

    public int BeginningOfSentenceId => throw new NotSupportedException(Missing);

    public int EndOfSentenceId => throw new NotSupportedException(Missing);

    public int UnknownId => throw new NotSupportedException(Missing);

    public IReadOnlyDictionary<string, int> Vocabulary => throw new NotSupportedException(Missing);

    public static SentencePieceTokenizer Create(
        Stream modelStream, bool addBeginningOfSentence = true, bool addEndOfSentence = false, IReadOnlyDictionary<string, int>? specialTokens = null) =>
        throw new NotSupportedException(Missing);

    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten) =>
        throw new NotSupportedException(Missing);

    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        throw new NotSupportedException(Missing);
}
