using System.Text;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.Gguf;

/// <summary>Writes the GGUF format, version 3: metadata, the list of tensors, their elements.</summary>
/// <remarks>Source: <c>docs/gguf.md</c> of https://github.com/ggml-org/ggml.</remarks>
internal static class GgufWriter
{
    // The format's default, which needs no key.
    private const int Alignment = 32;
    private const uint Version = 3;

    /// <summary>Writes a file.</summary>
    /// <param name="stream">It need not seek.</param>
    /// <param name="metadata">Keys and values.</param>
    /// <param name="tensors">The tensors in the order of the file.</param>
    /// <param name="type">The type of matrices.</param>
    /// <exception cref="NotSupportedException">A value is too large for the type; the message names the tensor.</exception>
    public static void Write(Stream stream, GgufMetadata metadata, IReadOnlyList<GgufTensor> tensors, GgufType type)
    {
        WriteHeader(stream, metadata, tensors, type);
        foreach (GgufTensor tensor in tensors)
        {
            GgufType stored = tensor.TypeIn(type);
            foreach (Func<Tensor> part in tensor.Parts)
            {
                using var scope = NewDisposeScope();
                GgufElements.Write(part(), stored, tensor.Name, stream);
            }
            stream.Write(Padding(GgufElements.BytesOf(stored, tensor.Elements)));
        }
    }

    private static void WriteHeader(Stream stream, GgufMetadata metadata, IReadOnlyList<GgufTensor> tensors, GgufType type)
    {
        using MemoryStream header = new();
        using BinaryWriter writer = new(header, Encoding.UTF8);
        writer.Write("GGUF"u8);
        writer.Write(Version);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)metadata.Count);
        metadata.CopyTo(header);
        long offset = 0;
        foreach (GgufTensor tensor in tensors)
        {
            GgufType stored = tensor.TypeIn(type);
            GgufMetadata.Write(writer, tensor.Name);
            writer.Write((uint)tensor.Shape.Length);
            foreach (long size in tensor.Shape.Reverse())
                writer.Write((ulong)size);
            writer.Write(GgufElements.CodeOf(stored));
            writer.Write((ulong)offset);
            long bytes = GgufElements.BytesOf(stored, tensor.Elements);
            offset += bytes + Padding(bytes).Length;
        }
        writer.Write(Padding(header.Length));
        header.WriteTo(stream);
    }

    // Zeros up to the next multiple of the alignment.
    private static byte[] Padding(long length) => new byte[(Alignment - length % Alignment) % Alignment];
}
