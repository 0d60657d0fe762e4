using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>Splits normalized text into the pieces of a unigram model: those whose log probabilities have the greatest sum.</summary>
/// <remarks>The arithmetic is the original's, float and double where it has them, since ties decide. Source: T. Kudo, "Subword Regularization", 2018, and <c>unigram_model.cc</c>.</remarks>
internal sealed class UnigramSplitter(PieceTable pieces)
{
    private const float UnknownPenalty = 10;
    private const double UserDefinedScore = -0.1;

    /// <summary>Splits a text.</summary>
    /// <returns>Where each piece ends. A piece that the table lacks is a single character.</returns>
    public List<int> Split(string text)
    {
        // The best way to each position: the sum of its scores, and where its last piece starts, or -1 where there is no way yet.
        var best = new (float Score, int Start)[text.Length + 1];
        Array.Fill(best, (0, -1));
        for (int start = 0; start < text.Length;)
        {
            int character = Wtf8.CountChars(text, start);
            for (int length = 1; length <= Math.Min(pieces.LongestPiece, text.Length - start); length++)
            {
                if (pieces.TryGetId(text.AsSpan(start, length), out int id))
                    Offer(start, length, best[start].Score + ScoreOf(id));
            }

            if (!pieces.TryGetId(text.AsSpan(start, character), out _))
                Offer(start, character, pieces.LowestScore - UnknownPenalty + best[start].Score);
            start += character;
        }

        var ends = new List<int>();
        for (int end = text.Length; end > 0; end = best[end].Start)
            ends.Add(end);
        ends.Reverse();
        return ends;

        void Offer(int start, int length, double score)
        {
            ref (float Score, int Start) end = ref best[start + length];
            if (end.Start < 0 || score > end.Score)
                end = ((float)score, start);
        }
    }

    private double ScoreOf(int id) => pieces[id] is { Kind: PieceKind.UserDefined } ? UserDefinedScore : pieces[id].Score;
}
