using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MLNetExtension.Models.Layers;

/// <summary>Functions of 16 numbers at a time.</summary>
internal static class WideMath
{
    // exp(x) is 0 in float32 below this; and infinite above its counterpart.
    private const float Lowest = -104, Highest = 89;

    // The natural logarithm of 2 as a number of few digits, whose multiples are exact, and the rest.
    private const float Log2Head = 0.693359375f, Log2Tail = -2.12194440e-4f;

    /// <summary>Powers of e, to two units in the last place: 2^n times the first terms of the series for |x| up to half the logarithm of 2.</summary>
    /// <param name="x">Any numbers; what is not one gives NaN.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        x = Vector512.Min(Vector512.Create(Highest), Vector512.Max(Vector512.Create(Lowest), x));
        Vector512<float> n = Vector512.Round(x * Vector512.Create(1.44269504f));
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Log2Head), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Log2Tail), r);
        Vector512<float> sum = Vector512.FusedMultiplyAdd(r, Vector512.Create(1f / 5040), Vector512.Create(1f / 720));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(1f / 120));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(1f / 24));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(1f / 6));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(0.5f));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512<float>.One);
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512<float>.One);
        if (Avx512F.IsSupported)
            return Avx512F.Scale(sum, n);
        // In two steps, each of which is a number: the whole need not be.
        Vector512<int> whole = Vector512.ConvertToInt32(n), half = whole >> 1;
        return sum * Power(half) * Power(whole - half);
    }

    // 2^n for n from -126 to 127, by its exponent.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Power(Vector512<int> n) => ((n + Vector512.Create(127)) << 23).AsSingle();

    /// <summary>The density of the normal distribution at 0: 1 / sqrt(2 pi).</summary>
    public const float NormalDensity = 0.3989422804f;

    /// <summary>The logistic function, 1 / (1 + exp(-x)), and 1 less that, which has digits of its own where it is small.</summary>
    /// <param name="x">Any numbers.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> Share, Vector512<float> Other) Logistic(Vector512<float> x)
    {
        Vector512<float> power = Exp(-x), share = Vector512<float>.One / (Vector512<float>.One + power);
        return (share, Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512<float>.Zero), share * power, Vector512<float>.One - share));
    }

    /// <summary>The normal distribution function: of its smaller tail, divided by exp(-x^2 / 2), a polynomial of t = 1 / (1 + 0.26 |x|), times t, which for |x| up to 6.5 is right to 4e-9 of itself.</summary>
    /// <param name="x">Any numbers.</param>
    /// <param name="power">exp(-x^2 / 2).</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> NormalShare(Vector512<float> x, Vector512<float> power)
    {
        Vector512<float> t = Vector512<float>.One / Vector512.FusedMultiplyAdd(Vector512.Abs(x), Vector512.Create(0.26f), Vector512<float>.One);
        Vector512<float> sum = Vector512.FusedMultiplyAdd(t, Vector512.Create(0.0321847593f), Vector512.Create(-0.160725889f));
        sum = Vector512.FusedMultiplyAdd(sum, t, Vector512.Create(0.267086187f));
        sum = Vector512.FusedMultiplyAdd(sum, t, Vector512.Create(-0.167689798f));
        sum = Vector512.FusedMultiplyAdd(sum, t, Vector512.Create(0.171473996f));
        sum = Vector512.FusedMultiplyAdd(sum, t, Vector512.Create(0.0471661824f));
        sum = Vector512.FusedMultiplyAdd(sum, t, Vector512.Create(0.103787923f));
        sum = Vector512.FusedMultiplyAdd(sum, t, Vector512.Create(0.102958418f));
        sum = Vector512.FusedMultiplyAdd(sum, t, Vector512.Create(0.103758223f));
        Vector512<float> tail = sum * t * power;
        return Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512<float>.Zero), Vector512<float>.One - tail, tail);
    }
}
