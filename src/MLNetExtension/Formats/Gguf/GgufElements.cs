using System.Buffers;
using System.Runtime.InteropServices;
using MLNetExtension.Safetensors;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.Gguf;

/// <summary>Writes elements as the types of a GGUF file, a piece of a tensor at a time.</summary>
internal static class GgufElements
{
    /// <summary>The number that stands for a type in the file.</summary>
    public static uint CodeOf(GgufType type) => type switch
    {
        GgufType.F32 => 0,
        GgufType.F16 => 1,
        GgufType.Q8_0 => 8,
        GgufType.BF16 => 30,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "This is no type of a GGUF file."),
    };

    /// <summary>The bytes that elements take.</summary>
    /// <param name="type">Their type.</param>
    /// <param name="count">How many; of <see cref="GgufType.Q8_0"/> a multiple of 32.</param>
    public static long BytesOf(GgufType type, long count) => type switch
    {
        GgufType.F32 => 4 * count,
        GgufType.Q8_0 => count / Q8Blocks.Elements * Q8Blocks.Bytes,
        _ => 2 * count,
    };

    /// <summary>Writes the elements in row-major order.</summary>
    /// <param name="tensor">Any strides, floating-point type and device; in a type of blocks, its rows are whole blocks.</param>
    /// <param name="type">What they become.</param>
    /// <param name="name">The tensor's name, for messages.</param>
    /// <param name="stream">Where to write.</param>
    /// <exception cref="NotSupportedException">A value is too large for the type.</exception>
    public static void Write(Tensor tensor, GgufType type, string name, Stream stream) => TensorBytes.ForEachPiece(tensor, piece =>
    {
        Tensor values = piece.to(ScalarType.Float32).cpu().contiguous();
        if (type == GgufType.Q8_0)
            WriteBlocks(values, name, stream);
        else
            WriteConverted(values, type, name, stream);
    });

    private static void WriteConverted(Tensor values, GgufType type, string name, Stream stream)
    {
        Tensor converted = values.to(type switch { GgufType.F16 => ScalarType.Float16, GgufType.BF16 => ScalarType.BFloat16, _ => ScalarType.Float32 });
        if (!FiniteBits.AreFinite(converted))
            throw TooLarge(values, type, name);
        stream.Write(converted.bytes);
    }

    private static void WriteBlocks(Tensor values, string name, Stream stream)
    {
        ReadOnlySpan<float> elements = MemoryMarshal.Cast<byte, float>(values.bytes);
        byte[] rented = ArrayPool<byte>.Shared.Rent((int)BytesOf(GgufType.Q8_0, elements.Length));
        Span<byte> blocks = rented.AsSpan(0, (int)BytesOf(GgufType.Q8_0, elements.Length));
        if (!Q8Blocks.TryWrite(elements, blocks))
            throw TooLarge(values, GgufType.Q8_0, name);
        stream.Write(blocks);
        ArrayPool<byte>.Shared.Return(rented);
    }

    private static NotSupportedException TooLarge(Tensor values, GgufType type, string name) =>
        new(FormattableString.Invariant($"The tensor '{name}' holds {values.abs().max().item<float>()}, which is too large for {type}: choose another type."));
}
