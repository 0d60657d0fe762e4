using Google.Protobuf;

namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>The fields of a protocol buffer by their numbers.</summary>
internal sealed class ProtocolMessage
{
    private readonly ILookup<int, object> _fields;

    /// <summary>Reads the fields.</summary>
    /// <exception cref="InvalidProtocolBufferException">The content is no protocol buffer.</exception>
    public ProtocolMessage(ReadOnlyMemory<byte> content) => _fields = Read(content).ToLookup(field => field.Number, field => field.Value);

    /// <summary>The last value of a field, or its default: <see cref="ulong"/> for whole numbers, <see cref="float"/>, or <see cref="ByteString"/>.</summary>
    public T Get<T>(int number, T defaultValue) => _fields[number].OfType<T>().LastOrDefault(defaultValue);

    /// <summary>Reads true or false.</summary>
    public bool GetBoolean(int number, bool defaultValue) => Get(number, defaultValue ? 1UL : 0) != 0;

    /// <summary>Reads a text.</summary>
    public string GetString(int number, string defaultValue) => Get(number, ByteString.CopyFromUtf8(defaultValue)).ToStringUtf8();

    /// <summary>Reads every message in a field.</summary>
    public IEnumerable<ProtocolMessage> GetMessages(int number) => _fields[number].OfType<ByteString>().Select(content => new ProtocolMessage(content.Memory));

    private static List<(int Number, object Value)> Read(ReadOnlyMemory<byte> content)
    {
        List<(int, object)> fields = [];
        using var input = new CodedInputStream(content.ToArray());
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            object? value = WireFormat.GetTagWireType(tag) switch
            {
                WireFormat.WireType.Varint => input.ReadUInt64(),
                WireFormat.WireType.Fixed32 => input.ReadFloat(),
                WireFormat.WireType.LengthDelimited => input.ReadBytes(),
                _ => null,
            };
            if (value is null)
                input.SkipLastField();
            else
                fields.Add((WireFormat.GetTagFieldNumber(tag), value));
        }

        return fields;
    }
}
