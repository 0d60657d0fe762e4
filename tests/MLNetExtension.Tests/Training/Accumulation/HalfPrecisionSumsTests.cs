using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>
/// CASES 36. Liger #1391, LLaMA-Factory #9769, pytorch #194628: sums over chunks of the head, occurrences of a token or micro-batches were kept in bfloat16, where a sum stops to grow at
/// 256 times what is added. 4,096 positions, all of one token, whose targets are all the same.
/// </summary>
[TestClass]
public sealed class HalfPrecisionSumsTests
{
    private const int Rows = 1024, Length = 4;

    // Seen to fail with: the head's chunks added in bfloat16 (0.83 off); positions of packed rows looked up in bfloat16 (0.65 off); layer norms computed in
    // bfloat16 (0.72 off).
    [TestMethod]
    [DataRow(Rows, 256, true, DisplayName = "one packed micro-batch")]
    [DataRow(Rows, 256, false, DisplayName = "one padded micro-batch")]
    [DataRow(Rows, 4, false, DisplayName = "four targets a chunk")]
    [DataRow(1, 256, true, DisplayName = "a row a micro-batch")]
    public void Every_parameters_gradient_in_bfloat16_is_that_in_float32_but_for_the_rounding_of_what_is_added(int rows, int chunkTokens, bool pack)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = [.. Enumerable.Range(0, Rows).Select(row => new TokenExample([5, 5, 5, 5], [7, 7, 7, 7], 0, row))];
        GradientSettings settings = new() { Loss = new LinearCrossEntropy(chunkTokens), Pack = pack };
        Dictionary<string, Tensor> half = Gradients(bfloat16), single = Gradients(float32);

        foreach ((string name, Tensor expected) in single)
            Assert.IsLessThan(0.05, Ragged.RelativeError(half[name], expected), name);

        Dictionary<string, Tensor> Gradients(ScalarType dtype)
        {
            Gpt2Model model = new(new Gpt2Configuration(Ragged.Vocabulary, Length, Layers: 1, Heads: 2, Width: 12, TiedHead: false), seed: 3);
            using (no_grad())
            {
                foreach (Tensor parameter in model.parameters())
                    parameter.mul_(parameter.dim() >= 2 ? 8 : 1);
            }
            model.to(bfloat16);
            model.to(dtype);
            using BatchGradient gradient = new(model, settings);
            gradient.Accumulate(Ragged.Split(batch, rows));
            return Pieces(model, gradient.Parameters);
        }
    }

    // The control: what a sum in bfloat16 gives.
    [TestMethod]
    public void In_bfloat16_4096_additions_of_one_come_to_256()
    {
        using var scope = NewDisposeScope();
        Tensor sum = zeros(1, dtype: bfloat16), one = ones(1, dtype: bfloat16);
        for (int i = 0; i < 4096; i++)
            sum.add_(one);
        Assert.AreEqual(256, sum.ToDouble());
    }

    private static Dictionary<string, Tensor> Pieces(Gpt2Model model, FlatParameters parameters)
    {
        Dictionary<string, long> lengths = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter.numel());
        Dictionary<string, Tensor> pieces = [];
        long offset = 0;
        foreach (string name in parameters.Names)
        {
            pieces[name] = parameters.Gradients.narrow(0, offset, lengths[name]).clone().to(float64);
            offset += lengths[name];
        }
        return pieces;
    }
}
