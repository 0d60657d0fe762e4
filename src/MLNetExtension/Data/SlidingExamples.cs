namespace MLNetExtension.Data;

/// <summary>Divides a text that is longer than a model's context into examples that overlap: each token is a target once, and has the tokens before it as its context, as many as the stride leaves.</summary>
internal static class SlidingExamples
{
    /// <summary>Gives the examples one by one; none is kept.</summary>
    /// <param name="tokens">The text's ids with the one that stands before it, which is no target; at least 2.</param>
    /// <param name="contextLength">T, the positions of an example; the last may have fewer.</param>
    /// <param name="stride">How many positions an example begins behind the one before it, from 1 to T. The first has up to T targets, each later one up to as many as the stride; a target of these is
    /// predicted from at least T + 1 - stride tokens.</param>
    /// <param name="position">The row of the data that the text is from, from 0.</param>
    public static IEnumerable<TokenExample> Of(IReadOnlyList<int> tokens, int contextLength, int stride, long position)
    {
        int positions = tokens.Count - 1, asked = 0;    // the targets of the positions below are asked for
        for (int start = 0; asked < positions; start += stride)
        {
            int length = Math.Min(contextLength, positions - start);
            int[] ids = new int[length], targets = new int[length];
            for (int t = 0; t < length; t++)
            {
                ids[t] = tokens[start + t];
                targets[t] = start + t >= asked ? tokens[start + t + 1] : TokenExample.IgnoredTarget;
            }
            asked = start + length;
            yield return new TokenExample(ids, targets, targetBytes: 0, position);
        }
    }
}
