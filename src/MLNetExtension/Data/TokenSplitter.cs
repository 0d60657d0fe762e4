namespace MLNetExtension.Data;

/// <summary>Splits the tokens of a row into examples that fit the context: the token that one asks for last is the one that the next begins with, so every token from the first target on is a target once.</summary>
/// <param name="contextLength">Maximum length of an example in tokens.</param>
/// <param name="position">Row of the data, from 0.</param>
/// <param name="weight">Its weight, which every piece has.</param>
/// <param name="countBytes">Counts the UTF-8 bytes of a token.</param>
/// <param name="wholeBytes">Bytes of the text that the row's targets spell, which those of the pieces add up to; null: those of its tokens.</param>
/// <param name="add">Receives the pieces in order: those with a target, and where there is none the first.</param>
internal sealed class TokenSplitter(int contextLength, long position, double weight, Func<int, int> countBytes, int? wholeBytes, Action<TokenExample> add)
{
    private readonly List<int> _tokens = [];
    private readonly List<bool> _areTargets = [];
    private TokenExample? _first;    // while no piece has a target
    private bool _hasAdded;
    private long _bytesLeft = wholeBytes ?? 0;

    /// <summary>Adds the row's next tokens.</summary>
    /// <param name="tokens">The tokens.</param>
    /// <param name="areTargets">Whether they are trained on.</param>
    public void Add(IReadOnlyList<int> tokens, bool areTargets)
    {
        for (int i = 0; i < tokens.Count; i++)
            Add(tokens[i], areTargets);
    }

    /// <summary>Adds the row's next token.</summary>
    public void Add(int token, bool isTarget)
    {
        if (_tokens.Count > contextLength)
            EndPiece(isLast: false);
        _tokens.Add(token);
        _areTargets.Add(isTarget);
    }

    /// <summary>Adds the last piece.</summary>
    /// <param name="beginning">What stands in a row without a token.</param>
    public void Complete(int beginning)
    {
        if (_tokens.Count == 0)
            Add(beginning, isTarget: false);
        EndPiece(isLast: true);
        if (!_hasAdded)
            add(_first!);
    }

    // A row of one token is that token without a target.
    private void EndPiece(bool isLast)
    {
        int length = Math.Max(1, _tokens.Count - 1);
        int[] ids = new int[length], targets = new int[length];
        for (int t = 0; t < length; t++)
        {
            ids[t] = _tokens[t];
            targets[t] = t + 1 < _tokens.Count && _areTargets[t + 1] ? _tokens[t + 1] : TokenExample.IgnoredTarget;
        }
        TokenExample piece = new(ids, targets, CountBytes(targets, isLast), position, weight: weight);
        _first ??= piece;
        if (piece.TargetCount > 0)
        {
            add(piece);
            _hasAdded = true;
        }
        int last = _tokens[^1];
        _tokens.Clear();
        _areTargets.Clear();
        _tokens.Add(last);
        _areTargets.Add(false);
    }

    // Normalization may change the bytes of a text: what the tokens before the last piece spell is taken from the whole, and never more than is left.
    private int CountBytes(int[] targets, bool isLast)
    {
        if (wholeBytes is not null && isLast)
            return (int)_bytesLeft;
        long bytes = 0;
        foreach (int target in targets)
            bytes += target == TokenExample.IgnoredTarget ? 0 : countBytes(target);
        if (wholeBytes is null)
            return (int)Math.Min(bytes, int.MaxValue);
        bytes = Math.Min(bytes, _bytesLeft);
        _bytesLeft -= bytes;
        return (int)bytes;
    }
}
