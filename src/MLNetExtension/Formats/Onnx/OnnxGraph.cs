using System.Globalization;
using System.Runtime.InteropServices;

namespace MLNetExtension.Formats.Onnx;

/// <summary>
/// A graph in the making: inputs, weights, nodes, outputs. Each call adds a node and returns its result, so that building a graph reads as computing does; the operators are in the other part of this class.
/// </summary>
/// <remarks>
/// Operators and numbers of fields are those of <c>onnx.proto</c> and of operator set 17 (2022): old enough for every ONNX Runtime since 1.12, on servers, phones and in browsers, and new enough to have layer norms.
/// Weights are float32 in a file of their own beside the graph, so that no message comes near protobuf's limit of 2 GB.
/// </remarks>
/// <param name="dataFileName">Name of the file with the weights, without a folder.</param>
internal sealed partial class OnnxGraph(string dataFileName)
{
    private const int OperatorSet = 17, FormatVersion = 8;

    // Readers map the file into memory, a page at a time.
    private const long Alignment = 4096;

    private readonly ProtobufWriter _graph = Begin();           // a GraphProto, whose fields may come in any order
    private readonly HashSet<string> _constants = [];
    private readonly List<OnnxWeight> _weights = [];
    private int _nodes;

    /// <summary>What the names of nodes begin with, such as the layer that they are of.</summary>
    public string Scope { get; set; } = "";

    /// <summary>Adds an input.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type">Type of its elements.</param>
    /// <param name="shape">Its dimensions.</param>
    public OnnxValue Input(string name, OnnxType type, params OnnxDimension[] shape)
    {
        _graph.Write(11, input => WriteInfo(input, name, type, shape));
        return new OnnxValue(name);
    }

    /// <summary>Makes a float32 value an output.</summary>
    /// <param name="value">The result of a node, under the output's name.</param>
    /// <param name="shape">Its dimensions.</param>
    public void Output(OnnxValue value, params OnnxDimension[] shape) => _graph.Write(12, output => WriteInfo(output, value.Name, OnnxType.Float32, shape));

    /// <summary>Adds a float32 weight, which is written to the data file.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="write">Writes its elements in row-major order, little-endian.</param>
    public OnnxValue Weight(string name, IReadOnlyList<long> shape, Action<Stream> write)
    {
        OnnxWeight weight = new(_weights.Count == 0 ? 0 : RoundUp(_weights[^1].End), shape.Aggregate(1L, (product, size) => product * size) * sizeof(float), write);
        _weights.Add(weight);
        _graph.Write(5, tensor =>
        {
            foreach (long size in shape)
                tensor.Write(1, size);
            tensor.Write(2, (long)OnnxType.Float32);
            tensor.Write(8, name);
            foreach ((string key, string value) in new[] { ("location", dataFileName), ("offset", Text(weight.Begin)), ("length", Text(weight.Length)) })
            {
                tensor.Write(13, entry =>
                {
                    entry.Write(1, key);
                    entry.Write(2, value);
                });
            }
            tensor.Write(14, 1L);       // DataLocation.EXTERNAL
        });
        return new OnnxValue(name);
    }

    /// <summary>A list of whole numbers, [n] int64.</summary>
    public OnnxValue Integers(params long[] values) => Constant(OnnxType.Int64, values, [values.Length]);

    /// <summary>A whole number, [] int64.</summary>
    public OnnxValue Integer(long value) => Constant<long>(OnnxType.Int64, [value], []);

    /// <summary>A number, [] float32.</summary>
    public OnnxValue Number(double value) => Constant<float>(OnnxType.Float32, [(float)value], []);

    /// <summary>Writes the model file.</summary>
    public void WriteModel(Stream stream)
    {
        ProtobufWriter model = new();
        model.Write(1, (long)FormatVersion);
        model.Write(2, "MLNetExtension");
        model.Write(8, operators => operators.Write(2, (long)OperatorSet));
        model.Write(7, _graph.Message);
        stream.Write(model.Message);
    }

    /// <summary>Writes the data file, a weight at a time.</summary>
    public void WriteData(Stream stream)
    {
        Span<byte> zeros = stackalloc byte[(int)Alignment];
        zeros.Clear();
        long end = 0;
        foreach (OnnxWeight weight in _weights)
        {
            stream.Write(zeros[..(int)(weight.Begin - end)]);
            weight.Write(stream);
            end = weight.End;
        }
    }

    private static ProtobufWriter Begin()
    {
        ProtobufWriter graph = new();
        graph.Write(2, "model");
        return graph;
    }

    // A node with one result.
    private OnnxValue Node(string operation, IEnumerable<OnnxValue> inputs, IEnumerable<OnnxAttribute>? attributes = null, string? name = null) =>
        Node(operation, inputs, attributes, [name ?? NextName(operation)])[0];

    private OnnxValue[] Node(string operation, IEnumerable<OnnxValue> inputs, IEnumerable<OnnxAttribute>? attributes, string[] outputs)
    {
        _graph.Write(1, node =>
        {
            foreach (OnnxValue input in inputs)
                node.Write(1, input.Name);
            foreach (string output in outputs)
                node.Write(2, output);
            node.Write(3, outputs[0]);
            node.Write(4, operation);
            foreach (OnnxAttribute attribute in attributes ?? [])
                node.Write(5, attribute.Write);
        });
        return [.. outputs.Select(output => new OnnxValue(output))];
    }

    private string NextName(string operation) => $"{Scope}{operation}_{_nodes++}";

    // Constants go by their values, so that each is there once.
    private OnnxValue Constant<T>(OnnxType type, T[] values, long[] shape)
        where T : unmanaged
    {
        string name = $"{type}{(shape.Length == 0 ? "" : "List")}_{string.Join('_', values.Select(value => Convert.ToString(value, CultureInfo.InvariantCulture)))}";
        if (!_constants.Add(name))
            return new OnnxValue(name);
        _graph.Write(5, tensor =>
        {
            foreach (long size in shape)
                tensor.Write(1, size);
            tensor.Write(2, (long)type);
            tensor.Write(8, name);
            tensor.Write(9, MemoryMarshal.AsBytes(values.AsSpan()));
        });
        return new OnnxValue(name);
    }

    // A ValueInfoProto.
    private static void WriteInfo(ProtobufWriter info, string name, OnnxType type, OnnxDimension[] shape)
    {
        info.Write(1, name);
        info.Write(2, wrapper => wrapper.Write(1, tensor =>
        {
            tensor.Write(1, (long)type);
            tensor.Write(2, dimensions =>
            {
                foreach (OnnxDimension dimension in shape)
                    dimensions.Write(1, dimension.Write);
            });
        }));
    }

    private static long RoundUp(long offset) => (offset + Alignment - 1) / Alignment * Alignment;

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    // Where a weight lies in the data file, in bytes.
    private sealed record OnnxWeight(long Begin, long Length, Action<Stream> Write)
    {
        public long End => Begin + Length;
    }
}
