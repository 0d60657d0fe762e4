using MLNetExtension.Models.Layers;

namespace MLNetExtension.Formats.Onnx;

/// <summary>Layers made of several operators, in the forms that ONNX Runtime recognizes and joins into one kernel. C width.</summary>
internal static class OnnxLayers
{
    /// <summary>x / sqrt(mean(x^2) + epsilon), times a weight, [...,C] to [...,C].</summary>
    public static OnnxValue RmsNorm(this OnnxGraph graph, OnnxValue x, OnnxValue weight, double epsilon)
    {
        OnnxValue meanSquare = graph.ReduceMean(graph.Pow(x, graph.Number(2)));
        return graph.Mul(graph.Div(x, graph.Sqrt(graph.Add(meanSquare, graph.Number(epsilon)))), weight);
    }

    /// <summary>Applies an activation to each element.</summary>
    public static OnnxValue Activate(this OnnxGraph graph, Activation activation, OnnxValue x) => activation switch
    {
        Activation.Gelu => graph.Gelu(x, graph.Erf(graph.Div(x, graph.Number(Math.Sqrt(2))))),
        Activation.GeluTanh => graph.Gelu(x, graph.Tanh(graph.GeluTanhArgument(x))),
        Activation.Silu => graph.Mul(x, graph.Sigmoid(x)),
        Activation.Relu => graph.Relu(x),
        _ => throw new NotSupportedException($"The activation {activation} cannot be written as ONNX."),
    };

    // x (1 + share) / 2
    private static OnnxValue Gelu(this OnnxGraph graph, OnnxValue x, OnnxValue share) => graph.Mul(graph.Mul(x, graph.Add(share, graph.Number(1))), graph.Number(0.5));

    // sqrt(2/pi) (x + 0.044715 x^3)
    private static OnnxValue GeluTanhArgument(this OnnxGraph graph, OnnxValue x)
    {
        OnnxValue cubed = graph.Mul(graph.Pow(x, graph.Number(3)), graph.Number(0.044715));
        return graph.Mul(graph.Add(x, cubed), graph.Number(Math.Sqrt(2 / Math.PI)));
    }
}
