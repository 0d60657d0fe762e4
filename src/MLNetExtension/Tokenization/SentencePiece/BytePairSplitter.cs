using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>Splits normalized text into the pieces of a model of byte pairs: of all neighbours that together are a piece, those of the highest score are merged, of equal ones the leftmost.</summary>
/// <remarks>Not ML.NET's encoder, which breaks ties in another order. Source: T. Kudo and J. Richardson, "SentencePiece", 2018, and its <c>bpe_model.cc</c>.</remarks>
internal sealed class BytePairSplitter(PieceTable pieces) : IPieceSplitter
{
    // A character that is no piece may have two chars.
    private readonly int _longest = Math.Max(pieces.LongestPiece, 2);

    /// <inheritdoc/>
    public List<int> Split(string text) => Split(text, SplitCharacters(text));

    /// <inheritdoc/>
    public List<int> SplitStart(string start)
    {
        // Of the last characters, some may be part of a user-defined piece that goes past the end.
        List<Symbol> symbols = SplitCharacters(start);
        symbols.RemoveAll(symbol => symbol.Start > start.Length - _longest);
        if (symbols.Count == 0)
            return [];

        int length = symbols[^1].Start + symbols[^1].Length;
        int[] cuts = [.. symbols.Select(symbol => symbol.Start + symbol.Length).Where(end => end > length - _longest)];
        List<int> ends = Split(start, symbols);
        int certain = CertainPieces.Count(ends, cuts, _longest, Between);
        ends.RemoveRange(certain, ends.Count - certain);
        return ends;

        IReadOnlyList<int> Between(int from, int to) => [.. Split(start[from..to]).Select(end => from + end)];
    }

    private List<int> Split(string text, List<Symbol> symbols)
    {
        var queue = new PriorityQueue<(int Left, int Right, int Length), (double, int)>();
        for (int right = 1; right < symbols.Count; right++)
            Enqueue(right - 1, right);

        while (queue.TryDequeue(out (int Left, int Right, int Length) pair, out _))
        {
            Symbol left = symbols[pair.Left], right = symbols[pair.Right];
            // One of the two may have been merged since.
            if (left.Length == 0 || right.Length == 0 || left.Length + right.Length != pair.Length)
                continue;

            symbols[pair.Left] = left with { Length = pair.Length, Next = right.Next };
            symbols[pair.Right] = right with { Length = 0 };
            if (right.Next < symbols.Count)
                symbols[right.Next] = symbols[right.Next] with { Previous = pair.Left };

            Enqueue(left.Previous, pair.Left);
            Enqueue(pair.Left, right.Next);
        }

        return [.. symbols.Where(symbol => symbol.Length > 0).Select(symbol => symbol.Start + symbol.Length)];

        void Enqueue(int left, int right)
        {
            if (left < 0 || right == symbols.Count || symbols[left].IsUserDefined || symbols[right].IsUserDefined)
                return;

            int length = symbols[left].Length + symbols[right].Length;
            if (pieces.TryGetId(text.AsSpan(symbols[left].Start, length), out int id))
                queue.Enqueue((left, right, length), (-pieces[id].Score, left));
        }
    }

    private List<Symbol> SplitCharacters(string text)
    {
        var symbols = new List<Symbol>(text.Length);
        for (int start = 0; start < text.Length;)
        {
            int userDefined = pieces.MatchUserDefined(text.AsSpan(start));
            int length = userDefined > 0 ? userDefined : Wtf8.CountChars(text, start);
            symbols.Add(new Symbol(start, length, symbols.Count - 1, symbols.Count + 1, userDefined > 0));
            start += length;
        }

        return symbols;
    }

    private readonly record struct Symbol(int Start, int Length, int Previous, int Next, bool IsUserDefined);
}
