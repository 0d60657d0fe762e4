using System.Buffers.Binary;
using static TorchSharp.torch;

namespace MLNetExtension.Safetensors;

/// <summary>Writes tensors as safetensors, front to back.</summary>
internal static class SafetensorsWriter
{
    /// <summary>Writes header and data.</summary>
    /// <param name="tensors">Names and tensors, of any strides, on any device, in the order in which they are to lie.</param>
    /// <param name="stream">It need not seek.</param>
    public static void Write(IReadOnlyList<(string Name, Tensor Tensor)> tensors, Stream stream)
    {
        var entries = new List<SafetensorsEntry>(tensors.Count);
        long at = 0;
        foreach (var (name, tensor) in tensors)
        {
            long end = at + tensor.NumberOfElements * SafetensorsTypes.BytesOf(tensor.dtype);
            entries.Add(new SafetensorsEntry(name, tensor.dtype, tensor.shape, at, end));
            at = end;
        }

        byte[] header = SafetensorsHeader.Write(entries);
        Span<byte> prefix = stackalloc byte[SafetensorsHeader.PrefixBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.Length);
        stream.Write(prefix);
        stream.Write(header);
        foreach (var (_, tensor) in tensors)
            TensorBytes.Write(tensor, stream);
    }
}
