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
        if (!Avx512F.IsSupported)
            return Vector512.Exp(x);
        // These give the second operand where one is NaN.
        x = Avx512F.Min(Vector512.Create(Highest), Avx512F.Max(Vector512.Create(Lowest), x));
        Vector512<float> n = Avx512F.RoundScale(x * Vector512.Create(1.44269504f), 0);
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Log2Head), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Log2Tail), r);
        Vector512<float> sum = Vector512.FusedMultiplyAdd(r, Vector512.Create(1f / 5040), Vector512.Create(1f / 720));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(1f / 120));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(1f / 24));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(1f / 6));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512.Create(0.5f));
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512<float>.One);
        sum = Vector512.FusedMultiplyAdd(sum, r, Vector512<float>.One);
        return Avx512F.Scale(sum, n);
    }
}
