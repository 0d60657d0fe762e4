using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>Splits normalized text into the pieces of a unigram model: those whose log probabilities have the greatest sum.</summary>
/// <remarks>Sums are rounded as the original rounds them, since ties decide. Source: T. Kudo, "Subword Regularization", 2018, <c>unigram_model.cc</c>, and Hugging Face's <c>unigram/model.rs</c>.</remarks>
/// <param name="pieces">The pieces.</param>
/// <param name="lowestScore">The score that an unknown character's is measured from.</param>
/// <param name="isSinglePrecision">Whether sums are kept in single precision, as SentencePiece keeps them, and not in double precision, as Hugging Face's library does.</param>
internal sealed class UnigramSplitter(PieceTable pieces, double lowestScore, bool isSinglePrecision) : IPieceSplitter
{
    private const double UnknownPenalty = 10;
    private const double UserDefinedScore = -0.1;

    private readonly double _unknownScore = isSinglePrecision ? (float)(lowestScore - UnknownPenalty) : lowestScore - UnknownPenalty;

    /// <inheritdoc/>
    public List<int> Split(string text) => EndsOf(FindBest(text), text.Length);

    /// <inheritdoc/>
    public List<int> SplitStart(string start)
    {
        string text = char.IsHighSurrogate(start[^1]) ? start[..^1] : start;
        (double Score, int Start)[] best = FindBest(text);

        // No piece is longer than the longest, so the best way through the whole text goes through one of the last positions, and where the ways to all of them meet it has gone.
        int longest = Math.Max(pieces.LongestPiece, 2);
        IEnumerable<int> last = Enumerable.Range(text.Length - longest + 1, longest).Where(end => end > 0 && best[end].Start >= 0);
        var open = new SortedSet<int>(last);
        while (open.Count > 1)
        {
            int end = open.Max;
            open.Remove(end);
            open.Add(best[end].Start);
        }

        return EndsOf(best, open.Max);
    }

    // The best way to each position: the sum of its scores, and where its last piece starts, or -1 where there is no way.
    private (double Score, int Start)[] FindBest(string text)
    {
        var best = new (double Score, int Start)[text.Length + 1];
        Array.Fill(best, (0, -1));
        for (int start = 0; start < text.Length;)
        {
            int character = Wtf8.CountChars(text, start);
            bool isPiece = false;
            int node = TextTrie.Root;
            for (int end = start; end < text.Length && (node = pieces.Trie.Step(node, text[end])) != TextTrie.None; end++)
            {
                int id = pieces.Trie.ValueOf(node), length = end + 1 - start;
                if (id == TextTrie.None)
                    continue;

                Offer(start, length, best[start].Score + ScoreOf(id));
                isPiece |= length == character;
            }

            if (!isPiece)
                Offer(start, character, Round(_unknownScore + best[start].Score));

            start += character;
        }

        return best;

        void Offer(int start, int length, double score)
        {
            ref (double Score, int Start) end = ref best[start + length];
            if (end.Start < 0 || score > end.Score)
                end = (Round(score), start);
        }
    }

    private static List<int> EndsOf((double Score, int Start)[] best, int length)
    {
        var ends = new List<int>();
        for (int end = length; end > 0; end = best[end].Start)
            ends.Add(end);

        ends.Reverse();
        return ends;
    }

    private double Round(double score) => isSinglePrecision ? (float)score : score;

    private double ScoreOf(int id) => pieces[id] is { Kind: PieceKind.UserDefined } ? UserDefinedScore : pieces[id].Score;
}
