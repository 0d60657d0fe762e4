namespace MLNetExtension.Formats.Onnx;

/// <summary>A tensor in a graph: an input, a weight, a constant or the result of a node.</summary>
/// <param name="Name">Its name, of which the graph has no other.</param>
internal readonly record struct OnnxValue(string Name);

/// <summary>Types of elements, by their numbers in ONNX's files (<c>TensorProto.DataType</c>).</summary>
internal enum OnnxType
{
    /// <summary>32-bit floating point.</summary>
    Float32 = 1,

    /// <summary>64-bit integer.</summary>
    Int64 = 7,

    /// <summary>True or false.</summary>
    Boolean = 9,
}

/// <summary>A dimension of an input or output: of a fixed size, or of one that each call gives, with a name.</summary>
internal readonly record struct OnnxDimension
{
    private readonly string? _name;
    private readonly long _size;

    private OnnxDimension(string? name, long size) => (_name, _size) = (name, size);

    public static implicit operator OnnxDimension(string name) => new(name, 0);

    public static implicit operator OnnxDimension(int size) => new(null, size);

    /// <summary>Writes a <c>TensorShapeProto.Dimension</c>.</summary>
    public void Write(ProtobufWriter dimension)
    {
        if (_name is null)
            dimension.Write(1, _size);
        else
            dimension.Write(2, _name);
    }
}

/// <summary>A setting of a node: an <c>AttributeProto</c>.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Kind">The number of its kind (<c>AttributeProto.AttributeType</c>).</param>
/// <param name="WriteValue">Writes the field for this kind.</param>
internal sealed record OnnxAttribute(string Name, int Kind, Action<ProtobufWriter> WriteValue)
{
    public static OnnxAttribute Of(string name, double value) => new(name, 1, attribute => attribute.Write(2, (float)value));

    public static OnnxAttribute Of(string name, long value) => new(name, 2, attribute => attribute.Write(3, value));

    public static OnnxAttribute Of(string name, string value) => new(name, 3, attribute => attribute.Write(4, value));

    public static OnnxAttribute Of(string name, IEnumerable<long> values) => new(name, 7, attribute =>
    {
        foreach (long value in values)
            attribute.Write(8, value);
    });

    /// <summary>Writes the attribute.</summary>
    public void Write(ProtobufWriter attribute)
    {
        attribute.Write(1, Name);
        attribute.Write(20, Kind);
        WriteValue(attribute);
    }
}
