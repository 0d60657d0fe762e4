using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>The law, half precision and recomputation on a CUDA device; <c>dotnet test -p:TorchRuntime=cuda</c> runs these, and without a device they count as skipped.</summary>
[TestClass]
[TestCategory("Gpu")]
[DoNotParallelize]
public sealed class GpuTests
{
    [TestInitialize]
    public void RequireDevice()
    {
        if (!cuda.is_available())
            Assert.Inconclusive("There is no CUDA device here, or no CUDA build of libtorch (TorchRuntime=cuda).");
    }

    [TestMethod]
    [DataRow(8)]
    [DataRow(3)]
    [DataRow(1)]
    public void Any_split_of_a_batch_gives_the_full_batch_gradient_of_the_cpu(int rows)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples();
        (double expectedLoss, Tensor expected) = Ragged.FullBatch(batch);
        (BatchLoss loss, Tensor gradient) = Accumulate(Ragged.Split(batch, rows), ScalarType.Float64);
        Assert.AreEqual(expectedLoss, loss.Mean, 1e-12 * expectedLoss);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, expected));
    }

    [TestMethod]
    public void Half_precision_sums_are_no_less_exact_over_64_micro_batches_than_over_one()
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(64);
        Assert.IsLessThanOrEqualTo(Error([batch[0]]), Error(batch));

        static double Error(TokenExample[] batch) => Ragged.RelativeError(
            Accumulate(Ragged.Split(batch, 1), ScalarType.BFloat16).Gradient, Accumulate(Ragged.Split(batch, 1), ScalarType.Float64).Gradient);
    }

    [TestMethod]
    public void Recomputing_activations_gives_the_same_gradient_with_dropout()
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = Ragged.Split(Ragged.Examples(), 3);
        Tensor kept = Accumulate(microBatches, ScalarType.Float32, dropout: 0.3).Gradient, again = Accumulate(microBatches, ScalarType.Float32, recompute: true, dropout: 0.3).Gradient;
        Assert.IsLessThan(1e-6, Ragged.RelativeError(again, kept));
    }

    private static (BatchLoss Loss, Tensor Gradient) Accumulate(
        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, ScalarType dtype, bool recompute = false, double dropout = 0)
    {
        using Gpt2Model model = Ragged.Model(dtype, dropout: dropout);
        model.to(CUDA);
        model.train();
        using BatchGradient gradient = new(model, new GradientSettings { Recompute = recompute });
        return (gradient.Accumulate(microBatches), gradient.Parameters.Gradients.to(float64).cpu());
    }
}
