namespace MLNetExtension.Tokenization;

/// <summary>Tells how many tokens of the beginning of a long word are certain, so that the rest of the word need not be encoded.</summary>
/// <remarks>
/// <para>It holds for byte pairs of any kind: neighbours are merged in the order of a priority that the two of them have, of equal ones the leftmost first, until none can be merged.</para>
/// <para>1. Where the tokens of a word have a boundary, no merge ever crossed it, so the tokens before it are those of the word up to there, and those behind it are those of the rest.</para>
/// <para>2. No token is longer than L, so of the last L positions of any part of the word one is a boundary of the whole word.</para>
/// <para>3. Let A be the tokens of a text a, and B those of b. If the last of A and the first of B, encoded as one text, stay these two, then the tokens of ab are A and B: up to the first merge that
/// crossed the border, both sides went as they do alone, and the same two neighbours would have been merged in the text of the two tokens.</para>
/// <para>So a boundary is certain if it is one of the beginning up to each of the last L positions, and by 3 only what lies between has to be encoded to see that.</para>
/// </remarks>
internal static class CertainPieces
{
    /// <summary>Counts the tokens that stay as they are, whatever follows the beginning.</summary>
    /// <param name="ends">Where each token of the beginning ends.</param>
    /// <param name="cuts">Of the last positions of the beginning, as many as the longest token is long, those where a token may end.</param>
    /// <param name="longest">The length of the longest token.</param>
    /// <param name="split">Gives where the tokens of the text between two positions end.</param>
    /// <returns>How many of the tokens are certain; 0 where none is found to be.</returns>
    public static int Count(IReadOnlyList<int> ends, IReadOnlyList<int> cuts, int longest, Func<int, int, IReadOnlyList<int>> split)
    {
        // What a cut changes rarely reaches back by more than a few tokens.
        for (long margin = 4L * longest; margin < ends[^1]; margin *= 4)
        {
            int last = ends.Count - 1;
            while (last >= 0 && ends[last] > ends[^1] - margin)
                last--;

            if (last >= 0 && cuts.All(new Boundary(last == 0 ? 0 : ends[last - 1], ends[last], split).IsIn))
                return last + 1;
        }

        return 0;
    }

    /// <summary>The boundary behind a token that begins at <paramref name="start"/> and ends at <paramref name="end"/>.</summary>
    private sealed class Boundary(int start, int end, Func<int, int, IReadOnlyList<int>> split)
    {
        private readonly HashSet<int> _next = []; // ends of the tokens that may follow

        /// <summary>Whether the tokens of the word up to a position have this boundary.</summary>
        public bool IsIn(int cut)
        {
            int next = split(end, cut)[0];
            if (_next.Contains(next))
                return true;

            bool staysTwo = split(start, next) is [int first, _] && first == end;
            return staysTwo && _next.Add(next);
        }
    }
}
