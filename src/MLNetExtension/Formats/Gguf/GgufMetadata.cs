using System.Text;

namespace MLNetExtension.Formats.Gguf;

/// <summary>Keys and values of a GGUF file, in the order in which they are added, as the file's bytes.</summary>
internal sealed class GgufMetadata
{
    // The numbers of the types of values.
    private const uint UInt32 = 4, Int32 = 5, Float32 = 6, Bool = 7, Text = 8, Array = 9;

    private readonly MemoryStream _bytes = new();
    private readonly BinaryWriter _writer;

    public GgufMetadata() => _writer = new BinaryWriter(_bytes, Encoding.UTF8);

    /// <summary>How many keys there are.</summary>
    public int Count { get; private set; }

    public void Add(string key, int value)
    {
        Begin(key, UInt32);
        _writer.Write(checked((uint)value));
    }

    public void Add(string key, double value)
    {
        Begin(key, Float32);
        _writer.Write((float)value);
    }

    public void Add(string key, bool value)
    {
        Begin(key, Bool);
        _writer.Write(value);
    }

    public void Add(string key, string value)
    {
        Begin(key, Text);
        Write(_writer, value);
    }

    public void Add(string key, IReadOnlyCollection<string> values)
    {
        BeginArray(key, Text, values.Count);
        foreach (string value in values)
            Write(_writer, value);
    }

    public void Add(string key, IReadOnlyCollection<int> values)
    {
        BeginArray(key, Int32, values.Count);
        foreach (int value in values)
            _writer.Write(value);
    }

    public void Add(string key, IReadOnlyCollection<float> values)
    {
        BeginArray(key, Float32, values.Count);
        foreach (float value in values)
            _writer.Write(value);
    }

    /// <summary>Writes a text as the format does: the number of its UTF-8 bytes, and these.</summary>
    public static void Write(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    /// <summary>Copies the bytes.</summary>
    public void CopyTo(Stream stream) => _bytes.WriteTo(stream);

    private void BeginArray(string key, uint type, int count)
    {
        Begin(key, Array);
        _writer.Write(type);
        _writer.Write((ulong)count);
    }

    private void Begin(string key, uint type)
    {
        Write(_writer, key);
        _writer.Write(type);
        Count++;
    }
}
