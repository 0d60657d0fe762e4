using MLNetExtension.Models.Lora;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>Draws starting weights from a generator of its own, normal around zero; biases start at zero.</summary>
/// <param name="standardDeviation">Standard deviation of the weights.</param>
/// <param name="generator">Where the numbers come from, or null to leave weights unset because they are about to be loaded.</param>
/// <param name="dtype">Type of the weights.</param>
internal sealed class WeightInitializer(double standardDeviation, Generator? generator, ScalarType dtype)
{
    public ScalarType Dtype => dtype;

    public Parameter Matrix(long rows, long columns)
    {
        Tensor weight = empty(rows, columns, dtype: dtype);
        return nn.Parameter(generator is null ? weight : weight.normal_(0, standardDeviation, generator));
    }

    public AdaptableLinear Linear(long inputs, long outputs, bool bias = false) =>
        new(Matrix(outputs, inputs), bias ? nn.Parameter(zeros(outputs, dtype: dtype)) : null);
}
