using System.Globalization;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the score of a piece as Hugging Face's library does: its last bit may differ from that of the nearest double, and decides between ways that are equally likely.</summary>
/// <remarks>The digits are a whole number, which is rounded, and then multiplied by a power of ten or divided by one, and rounded again. Source: <c>f64_from_parts</c> in serde_json's <c>de.rs</c>.</remarks>
internal static class PieceScore
{
    private const int LargestPower = 308;

    private static readonly double[] Powers = [.. Enumerable.Range(0, LargestPower + 1).Select(power => double.Parse($"1e{power}", CultureInfo.InvariantCulture))];

    /// <summary>Reads a number of JSON; one that is too large is infinite.</summary>
    public static double Parse(string json)
    {
        int exponentAt = json.IndexOfAny(['e', 'E']);
        ReadOnlySpan<char> digits = exponentAt < 0 ? json : json.AsSpan(0, exponentAt);
        long exponent = exponentAt < 0 ? 0 : double.Parse(json.AsSpan(exponentAt + 1), CultureInfo.InvariantCulture) is var power && Math.Abs(power) < 1e6 ? (long)power : (long)(1e6 * Math.Sign(power));
        ulong significand = 0;
        bool isFraction = false, isFull = false;
        foreach (char c in digits)
        {
            if (c is '-' or '.')
            {
                isFraction |= c == '.';
                continue;
            }

            uint digit = (uint)(c - '0');
            isFull |= significand > (ulong.MaxValue - digit) / 10;
            if (!isFull)
                significand = (significand * 10) + digit;
            exponent += isFull ? (isFraction ? 0 : 1) : isFraction ? -1 : 0;
        }

        double value = Scale(significand, exponent);
        return json[0] == '-' ? -value : value;
    }

    private static double Scale(double value, long exponent)
    {
        for (; value != 0 && exponent < -LargestPower; exponent += LargestPower)
            value /= Powers[LargestPower];
        if (value == 0)
            return 0;
        if (exponent > LargestPower)
            return double.PositiveInfinity;

        return exponent >= 0 ? value * Powers[exponent] : value / Powers[-exponent];
    }
}
