using System.Buffers.Binary;
using System.Text;

namespace MLNetExtension.Formats.Onnx;

/// <summary>Writes a message in protobuf's wire format: fields in any order, each a number, then what kind of value follows, then the value.</summary>
internal sealed class ProtobufWriter
{
    // Kinds of values.
    private const int VariableLength = 0, Counted = 2, FourBytes = 5;

    private readonly MemoryStream _message = new();

    /// <summary>The message so far; valid until the next write.</summary>
    public ReadOnlySpan<byte> Message => _message.GetBuffer().AsSpan(0, (int)_message.Length);

    /// <summary>Writes a whole number, or a value of an enumeration.</summary>
    public void Write(int field, long value)
    {
        WriteTag(field, VariableLength);
        WriteVariableLength((ulong)value);
    }

    /// <summary>Writes a float32.</summary>
    public void Write(int field, float value)
    {
        WriteTag(field, FourBytes);
        Span<byte> bytes = stackalloc byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        _message.Write(bytes);
    }

    /// <summary>Writes a text.</summary>
    public void Write(int field, string value) => Write(field, Encoding.UTF8.GetBytes(value));

    /// <summary>Writes bytes.</summary>
    public void Write(int field, ReadOnlySpan<byte> value)
    {
        WriteTag(field, Counted);
        WriteVariableLength((ulong)value.Length);
        _message.Write(value);
    }

    /// <summary>Writes a message inside this one.</summary>
    /// <param name="field">The field's number.</param>
    /// <param name="write">Writes the fields of the inner message.</param>
    public void Write(int field, Action<ProtobufWriter> write)
    {
        ProtobufWriter inner = new();
        write(inner);
        Write(field, inner.Message);
    }

    private void WriteTag(int field, int kind) => WriteVariableLength((ulong)(field << 3 | kind));

    // Seven bits a byte, the lowest first; the eighth says that more follow. A negative number takes ten bytes.
    private void WriteVariableLength(ulong value)
    {
        for (; value > 0x7f; value >>= 7)
            _message.WriteByte((byte)(value | 0x80));
        _message.WriteByte((byte)value);
    }
}
