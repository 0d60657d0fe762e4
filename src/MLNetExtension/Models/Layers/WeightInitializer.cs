using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>Creates the parameters of a new model: weights drawn from a normal distribution with mean 0, biases of zeros.</summary>
/// <param name="standardDeviation">Standard deviation of the weights.</param>
/// <param name="generator">Source of the random numbers; null to leave weights unset because they are about to be loaded.</param>
/// <param name="dtype">Type of the parameters.</param>
internal sealed class WeightInitializer(double standardDeviation, Generator? generator, ScalarType dtype)
{
    /// <summary>Creates a weight, [rows,columns].</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    /// <param name="divisor">The standard deviation is divided by this.</param>
    public Parameter CreateMatrix(long rows, long columns, double divisor = 1)
    {
        Tensor weight = empty(rows, columns, dtype: dtype);
        return nn.Parameter(generator is null ? weight : weight.normal_(0, standardDeviation / divisor, generator));
    }

    /// <summary>Creates a linear layer.</summary>
    /// <param name="inputs">Number of inputs.</param>
    /// <param name="outputs">Number of outputs.</param>
    /// <param name="bias">Whether it has a bias.</param>
    /// <param name="divisor">The standard deviation is divided by this.</param>
    public AdaptableLinear CreateLinear(long inputs, long outputs, bool bias = false, double divisor = 1) =>
        new(CreateMatrix(outputs, inputs, divisor), bias ? nn.Parameter(zeros(outputs, dtype: dtype)) : null);

    /// <summary>Creates an RMS norm, whose factors are 1.</summary>
    /// <param name="width">C.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="addsOne">Whether the factor is 1 + weight. Default false.</param>
    public RmsNorm CreateRmsNorm(long width, double epsilon, bool addsOne = false) => new(width, epsilon, addsOne, dtype);
}
