namespace MLNetExtension.Formats.Onnx;

internal sealed partial class OnnxGraph
{
    public OnnxValue Add(OnnxValue a, OnnxValue b) => Node("Add", [a, b]);

    public OnnxValue Sub(OnnxValue a, OnnxValue b) => Node("Sub", [a, b]);

    public OnnxValue Mul(OnnxValue a, OnnxValue b) => Node("Mul", [a, b]);

    public OnnxValue Div(OnnxValue a, OnnxValue b) => Node("Div", [a, b]);

    public OnnxValue Pow(OnnxValue a, OnnxValue exponent) => Node("Pow", [a, exponent]);

    public OnnxValue Max(OnnxValue a, OnnxValue b) => Node("Max", [a, b]);

    public OnnxValue Sqrt(OnnxValue x) => Node("Sqrt", [x]);

    public OnnxValue Erf(OnnxValue x) => Node("Erf", [x]);

    public OnnxValue Tanh(OnnxValue x) => Node("Tanh", [x]);

    public OnnxValue Sigmoid(OnnxValue x) => Node("Sigmoid", [x]);

    public OnnxValue Relu(OnnxValue x) => Node("Relu", [x]);

    public OnnxValue And(OnnxValue a, OnnxValue b) => Node("And", [a, b]);

    public OnnxValue Or(OnnxValue a, OnnxValue b) => Node("Or", [a, b]);

    public OnnxValue Equal(OnnxValue a, OnnxValue b) => Node("Equal", [a, b]);

    public OnnxValue LessOrEqual(OnnxValue a, OnnxValue b) => Node("LessOrEqual", [a, b]);

    public OnnxValue Greater(OnnxValue a, OnnxValue b) => Node("Greater", [a, b]);

    public OnnxValue Where(OnnxValue condition, OnnxValue a, OnnxValue b) => Node("Where", [condition, a, b]);

    public OnnxValue Cast(OnnxValue x, OnnxType type) => Node("Cast", [x], [OnnxAttribute.Of("to", (long)type)]);

    /// <summary>Matrix products over the last two dimensions; those before are broadcast.</summary>
    public OnnxValue MatMul(OnnxValue a, OnnxValue b, string? name = null) => Node("MatMul", [a, b], name: name);

    /// <summary>a b', of matrices.</summary>
    public OnnxValue MatMulTransposed(OnnxValue a, OnnxValue b) => Node("Gemm", [a, b], [OnnxAttribute.Of("transB", 1L)]);

    /// <summary>Softmax over the last dimension.</summary>
    public OnnxValue Softmax(OnnxValue x) => Node("Softmax", [x], [OnnxAttribute.Of("axis", -1L)]);

    /// <summary>The mean over the last dimension, which stays, of size 1.</summary>
    public OnnxValue ReduceMean(OnnxValue x) => Node("ReduceMean", [x], [OnnxAttribute.Of("axes", [-1L]), OnnxAttribute.Of("keepdims", 1L)]);

    /// <summary>The sum over the last dimension, which stays, of size 1.</summary>
    public OnnxValue ReduceSum(OnnxValue x) => Node("ReduceSum", [x, Integers(-1)], [OnnxAttribute.Of("keepdims", 1L)]);

    public OnnxValue LayerNormalization(OnnxValue x, OnnxValue weight, OnnxValue bias, double epsilon) =>
        Node("LayerNormalization", [x, weight, bias], [OnnxAttribute.Of("axis", -1L), OnnxAttribute.Of("epsilon", epsilon)]);

    public OnnxValue CumSum(OnnxValue x, long axis) => Node("CumSum", [x, Integer(axis)]);

    /// <summary>The rows of a table that indices name.</summary>
    public OnnxValue Gather(OnnxValue table, OnnxValue indices) => Node("Gather", [table, indices]);

    /// <summary>The elements that coordinates name, or the rows where these are fewer than dimensions: [n,rank] to [n,...].</summary>
    public OnnxValue GatherND(OnnxValue x, OnnxValue coordinates) => Node("GatherND", [x, coordinates]);

    /// <summary>Adds rows to those that indices name, [n,1].</summary>
    public OnnxValue ScatterAdd(OnnxValue x, OnnxValue indices, OnnxValue rows) => Node("ScatterND", [x, indices, rows], [OnnxAttribute.Of("reduction", "add")]);

    /// <summary>The coordinates of the elements that are not zero, [rank,n].</summary>
    public OnnxValue NonZero(OnnxValue x) => Node("NonZero", [x]);

    /// <summary>The largest elements over the last dimension, largest first, and where they are.</summary>
    public (OnnxValue Values, OnnxValue Indices) TopK(OnnxValue x, long count)
    {
        OnnxValue[] results = Node("TopK", [x, Integers(count)], null, [NextName("TopK"), NextName("TopKIndices")]);
        return (results[0], results[1]);
    }

    /// <param name="x">Any number of elements.</param>
    /// <param name="shape">The new shape: 0 for a dimension that stays, -1 for the one that follows from the others.</param>
    public OnnxValue Reshape(OnnxValue x, params long[] shape) => Node("Reshape", [x, Integers(shape)]);

    /// <param name="x">Any number of elements.</param>
    /// <param name="shape">The new shape, [n] int64.</param>
    /// <param name="name">The result's name.</param>
    public OnnxValue Reshape(OnnxValue x, OnnxValue shape, string? name = null) => Node("Reshape", [x, shape], name: name);

    public OnnxValue Transpose(OnnxValue x, params long[] order) => Node("Transpose", [x], [OnnxAttribute.Of("perm", order)]);

    public OnnxValue Unsqueeze(OnnxValue x, params long[] axes) => Node("Unsqueeze", [x, Integers(axes)]);

    /// <summary>[1] to [].</summary>
    public OnnxValue Squeeze(OnnxValue x) => Node("Squeeze", [x]);

    public OnnxValue Concat(long axis, IEnumerable<OnnxValue> parts, string? name = null) => Node("Concat", parts, [OnnxAttribute.Of("axis", axis)], name);

    public OnnxValue[] Split(OnnxValue x, long axis, params long[] sizes) =>
        Node("Split", [x, Integers(sizes)], [OnnxAttribute.Of("axis", axis)], [.. sizes.Select(_ => NextName("Split"))]);

    /// <summary>A part of one dimension.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="axis">The dimension.</param>
    /// <param name="start">Where the part starts, [1] int64.</param>
    /// <param name="end">Where it ends, [1] int64.</param>
    public OnnxValue Slice(OnnxValue x, long axis, OnnxValue start, OnnxValue end) => Node("Slice", [x, start, end, Integers(axis)]);

    /// <summary>The whole shape, [rank] int64.</summary>
    public OnnxValue Shape(OnnxValue x) => Node("Shape", [x]);

    /// <summary>The size of one dimension, [1] int64.</summary>
    public OnnxValue Size(OnnxValue x, long axis) => Node("Shape", [x], [OnnxAttribute.Of("start", axis), OnnxAttribute.Of("end", axis + 1)]);

    /// <summary>The numbers from 0 to below a count, [count] int64.</summary>
    /// <param name="count">[] int64.</param>
    public OnnxValue Range(OnnxValue count) => Node("Range", [Integer(0), count, Integer(1)]);

    /// <summary>Zeros of a shape, float32.</summary>
    public OnnxValue Zeros(OnnxValue shape) => Node("ConstantOfShape", [shape]);
}
