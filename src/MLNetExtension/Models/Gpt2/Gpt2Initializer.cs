using MLNetExtension.Models.Lora;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Gpt2;

/// <summary>
/// Draws GPT-2's starting weights from a generator of its own: normal with standard deviation 0.02, divided by sqrt(2 layers) where a
/// branch joins the residual stream (Radford et al. 2019, section 2.3); biases start at zero.
/// </summary>
/// <param name="layers">Number of blocks.</param>
/// <param name="generator">Where the numbers come from, or null to leave weights unset because they are about to be loaded.</param>
internal sealed class Gpt2Initializer(int layers, Generator? generator)
{
    private const double StandardDeviation = 0.02;

    public Parameter Matrix(long rows, long columns, double standardDeviation = StandardDeviation)
    {
        Tensor weight = empty(rows, columns);
        return nn.Parameter(generator is null ? weight : weight.normal_(0, standardDeviation, generator));
    }

    public AdaptableLinear Linear(long inputs, long outputs) => new(Matrix(outputs, inputs), nn.Parameter(zeros(outputs)));

    public AdaptableLinear ResidualLinear(long inputs, long outputs) =>
        new(Matrix(outputs, inputs, StandardDeviation / Math.Sqrt(2 * layers)), nn.Parameter(zeros(outputs)));
}
