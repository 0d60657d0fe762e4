using System.Buffers.Binary;
using System.Numerics.Tensors;

namespace MLNetExtension.Formats.Gguf;

/// <summary>
/// Blocks of 32 elements as whole numbers q with a scale d in float16, each element about d q. d is the largest magnitude divided by 127, and q is the element divided by d, rounded half away from zero,
/// all in float32: ggml's Q8_0, bit for bit.
/// </summary>
internal static class Q8Blocks
{
    /// <summary>Elements of a block.</summary>
    public const int Elements = 32;

    /// <summary>Bytes of a block: the scale, then a signed byte an element.</summary>
    public const int Bytes = 2 + Elements;

    /// <summary>Writes elements as blocks.</summary>
    /// <param name="elements">A multiple of 32 of them.</param>
    /// <param name="blocks">34 bytes for each 32.</param>
    /// <returns>False where a scale is too large for float16, or an element is not finite.</returns>
    public static bool TryWrite(ReadOnlySpan<float> elements, Span<byte> blocks)
    {
        for (; !elements.IsEmpty; elements = elements[Elements..], blocks = blocks[Bytes..])
        {
            if (!TryWriteBlock(elements[..Elements], blocks[..Bytes]))
                return false;
        }
        return true;
    }

    private static bool TryWriteBlock(ReadOnlySpan<float> elements, Span<byte> block)
    {
        float scale = MathF.Abs(TensorPrimitives.MaxMagnitude(elements)) / 127;
        Half stored = (Half)scale;
        if (!Half.IsFinite(stored))
            return false;
        BinaryPrimitives.WriteHalfLittleEndian(block, stored);
        // The factor of a scale so small that float32 has no inverse of it; in float16 it is 0.
        float inverse = 1 / scale, factor = float.IsFinite(inverse) ? inverse : 0;
        for (int i = 0; i < Elements; i++)
            block[2 + i] = (byte)(sbyte)MathF.Round(elements[i] * factor, MidpointRounding.AwayFromZero);
        return true;
    }
}
