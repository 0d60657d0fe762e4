using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace MLNetExtension.Safetensors;

/// <summary>Looks for infinities and NaN by their bits, all ones in the exponent, several at a time: as fast as memory is read, where torch makes a tensor of answers first.</summary>
internal static class FiniteBits
{
    /// <summary>Whether all elements are finite.</summary>
    /// <param name="values">Of any strides, any floating-point type and on any device; fastest where contiguous and on the CPU.</param>
    public static bool AreFinite(Tensor values)
    {
        using var scope = NewDisposeScope();
        Span<byte> bytes = values.detach().cpu().contiguous().bytes;
        return values.dtype switch
        {
            ScalarType.Float32 => HaveZeroIn(MemoryMarshal.Cast<byte, uint>(bytes), 0x7F80_0000u),
            ScalarType.BFloat16 => HaveZeroIn(MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7F80),
            ScalarType.Float16 => HaveZeroIn(MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7C00),
            ScalarType.Float64 => HaveZeroIn(MemoryMarshal.Cast<byte, ulong>(bytes), 0x7FF0_0000_0000_0000ul),
            _ => throw new NotSupportedException($"Elements of type {values.dtype} are not looked at: expected a floating-point type."),
        };
    }

    // Optimized from the first call on, because one call may be all there are.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool HaveZeroIn<T>(ReadOnlySpan<T> elements, T exponent)
        where T : unmanaged, IBinaryInteger<T>
    {
        Vector<T> exponents = new(exponent);
        int i = 0;
        for (; i <= elements.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            if (Vector.EqualsAny(new Vector<T>(elements[i..]) & exponents, exponents))
                return false;
        }
        for (; i < elements.Length; i++)
        {
            if ((elements[i] & exponent) == exponent)
                return false;
        }
        return true;
    }
}
