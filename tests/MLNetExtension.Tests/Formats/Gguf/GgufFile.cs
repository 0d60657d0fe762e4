using System.Text;

namespace MLNetExtension.Tests.Formats.Gguf;

/// <summary>A GGUF file, read as its specification says (<c>docs/gguf.md</c> of https://github.com/ggml-org/ggml).</summary>
internal sealed class GgufFile
{
    private readonly byte[] _bytes;

    public GgufFile(string path)
    {
        _bytes = File.ReadAllBytes(path);
        using BinaryReader reader = new(new MemoryStream(_bytes));
        Assert.AreEqual("GGUF", Encoding.ASCII.GetString(reader.ReadBytes(4)));
        Assert.AreEqual(3u, reader.ReadUInt32());
        long tensors = reader.ReadInt64(), keys = reader.ReadInt64();
        for (long i = 0; i < keys; i++)
            Keys.Add(ReadText(reader), ReadValue(reader, reader.ReadUInt32()));
        for (long i = 0; i < tensors; i++)
        {
            string name = ReadText(reader);
            long[] shape = [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ => reader.ReadInt64()).ToArray().Reverse()];
            Tensors.Add(name, new Entry(shape, reader.ReadUInt32(), reader.ReadInt64()));
        }
        DataStart = (reader.BaseStream.Position + 31) / 32 * 32;
    }

    public Dictionary<string, object> Keys { get; } = [];

    public Dictionary<string, Entry> Tensors { get; } = [];

    public long DataStart { get; }

    public long Length => _bytes.Length;

    public ReadOnlySpan<byte> Data(string name, int bytes) => _bytes.AsSpan((int)(DataStart + Tensors[name].Offset), bytes);

    /// <summary>The elements of a float32 tensor.</summary>
    public float[] Floats(string name)
    {
        Assert.AreEqual(0u, Tensors[name].Type);
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(Data(name, 4 * (int)Tensors[name].Shape.Aggregate((a, b) => a * b))).ToArray();
    }

    private static string ReadText(BinaryReader reader) => Encoding.UTF8.GetString(reader.ReadBytes((int)reader.ReadInt64()));

    private static object ReadValue(BinaryReader reader, uint type)
    {
        switch (type)
        {
            case 4: return reader.ReadUInt32();
            case 5: return reader.ReadInt32();
            case 6: return reader.ReadSingle();
            case 7: return reader.ReadByte() == 1;
            case 8: return ReadText(reader);
            case 9:
                uint element = reader.ReadUInt32();
                object[] values = new object[reader.ReadInt64()];
                for (int i = 0; i < values.Length; i++)
                    values[i] = ReadValue(reader, element);
                return values;
            default: throw new InvalidDataException($"A value has the type {type}.");
        }
    }

    public sealed record Entry(long[] Shape, uint Type, long Offset);
}
