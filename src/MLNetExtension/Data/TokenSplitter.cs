using System.Runtime.InteropServices;

namespace MLNetExtension.Data;

/// <summary>What the pieces of a row have in common.</summary>
/// <param name="Position">Row of the data, from 0.</param>
/// <param name="Weight">The row's weight.</param>
/// <param name="Bytes">Bytes of the text that the row's targets spell, which those of the pieces add up to; null: those of its tokens.</param>
internal readonly record struct SplitRow(long Position, double Weight, int? Bytes);

/// <summary>Splits the tokens of a row into examples that fit the context: the token that one asks for last is the one that the next begins with, so every token from the first target on is a target once.</summary>
/// <param name="contextLength">Maximum length of an example in tokens.</param>
/// <param name="row">The row.</param>
/// <param name="countBytes">Counts the UTF-8 bytes of a token.</param>
/// <param name="add">Receives the pieces in order: those with a target, and where there is none the first.</param>
internal sealed class TokenSplitter(int contextLength, SplitRow row, Func<int, int> countBytes, Action<TokenExample> add)
{
    private const int FirstRoom = 256;

    private readonly long _most = contextLength + 1L;    // the last token of a piece is a target alone
    private int[] _tokens = new int[(int)Math.Min(FirstRoom, contextLength + 1L)];
    private bool[] _areTargets = new bool[(int)Math.Min(FirstRoom, contextLength + 1L)];
    private int _count;
    private TokenExample? _first;    // while no piece has a target
    private bool _hasAdded;
    private long _bytesLeft = row.Bytes ?? 0;

    /// <summary>Adds the row's next tokens.</summary>
    /// <param name="tokens">The tokens.</param>
    /// <param name="areTargets">Whether they are trained on.</param>
    public void Add(IReadOnlyList<int> tokens, bool areTargets) => Add(
        tokens switch
        {
            int[] array => array,
            List<int> list => CollectionsMarshal.AsSpan(list),
            _ => [.. tokens],
        },
        areTargets);

    /// <summary>Adds the row's next token.</summary>
    public void Add(int token, bool isTarget) => Add([token], isTarget);

    /// <summary>Adds the last piece.</summary>
    /// <param name="beginning">What stands in a row without a token.</param>
    public void Complete(int beginning)
    {
        if (_count == 0)
            Add(beginning, isTarget: false);
        EndPiece(isLast: true);
        if (!_hasAdded)
            add(_first!);
    }

    private void Add(ReadOnlySpan<int> tokens, bool areTargets)
    {
        while (!tokens.IsEmpty)
        {
            if (_count == _most)
                EndPiece(isLast: false);
            int count = (int)Math.Min(tokens.Length, _most - _count);
            MakeRoom(_count + count);
            tokens[..count].CopyTo(_tokens.AsSpan(_count));
            _areTargets.AsSpan(_count, count).Fill(areTargets);
            _count += count;
            tokens = tokens[count..];
        }
    }

    private void MakeRoom(int count)
    {
        if (count <= _tokens.Length)
            return;
        int room = (int)Math.Min(_most, Math.Max(count, 2L * _tokens.Length));
        Array.Resize(ref _tokens, room);
        Array.Resize(ref _areTargets, room);
    }

    // A row of one token is that token without a target.
    private void EndPiece(bool isLast)
    {
        int length = Math.Max(1, _count - 1);
        int[] ids = _tokens[..length], targets = new int[length];
        for (int t = 0; t < length; t++)
            targets[t] = t + 1 < _count && _areTargets[t + 1] ? _tokens[t + 1] : TokenExample.IgnoredTarget;
        TokenExample piece = new(ids, targets, CountBytes(targets, isLast), row.Position, weight: row.Weight);
        _first ??= piece;
        if (piece.TargetCount > 0)
        {
            add(piece);
            _hasAdded = true;
        }
        (_tokens[0], _areTargets[0], _count) = (_tokens[_count - 1], false, 1);
    }

    // Normalization may change the bytes of a text: what the tokens before the last piece spell is taken from the whole, and never more than is left.
    private int CountBytes(int[] targets, bool isLast)
    {
        if (row.Bytes is not null && isLast)
            return (int)_bytesLeft;
        long bytes = 0;
        foreach (int target in targets)
            bytes += target == TokenExample.IgnoredTarget ? 0 : countBytes(target);
        if (row.Bytes is null)
            return (int)Math.Min(bytes, int.MaxValue);
        bytes = Math.Min(bytes, _bytesLeft);
        _bytesLeft -= bytes;
        return (int)bytes;
    }
}
