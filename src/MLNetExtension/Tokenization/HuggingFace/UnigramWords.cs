using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Makes tokens of words by a unigram model.</summary>
internal sealed class UnigramWords : IWordModel
{
    private readonly PieceEncoder _encoder;
    private readonly UnigramSplitter _splitter;

    /// <summary>Prepares a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="notInText">Ids that a text cannot have.</param>
    public UnigramWords(UnigramModel model, IReadOnlySet<int> notInText)
    {
        var pieces = new PieceTable(model.Pieces(notInText));
        int[]? bytes = model.HasByteFallback ? [.. Enumerable.Range(0, byte.MaxValue + 1).Select(value => model.Vocabulary[TokenModel.ByteToken(value)])] : null;
        _encoder = new PieceEncoder(pieces, model.UnknownId, bytes);
        _splitter = new UnigramSplitter(pieces, model.Scores.Min(), isSinglePrecision: false);
    }

    /// <inheritdoc/>
    /// <remarks>The whole text: the scores of what is in front decide how those behind it are rounded, and so which of two equally likely ways is taken.</remarks>
    public int FindWord(ReadOnlySpan<char> text) => text.Length;

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        string text = word.ToString();
        ids.AddRange(_encoder.Encode(text, _splitter.Split(text)).Select(token => token.Id));
    }

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<char> word, List<PlacedToken> tokens)
    {
        string text = word.ToString();
        tokens.AddRange(_encoder.Encode(text, _splitter.Split(text)));
    }

    /// <inheritdoc/>
    public bool TryEncodeStart(ReadOnlySpan<char> start, int needed, List<int> ids)
    {
        string text = start.ToString();
        List<PlacedToken> tokens = _encoder.EncodeCertain(text, _splitter.SplitStart(text));
        if (tokens.Count < needed)
            return false;

        ids.AddRange(tokens.Take(needed).Select(token => token.Id));
        return true;
    }
}
