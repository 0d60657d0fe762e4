using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training;

/// <summary>What a training leaves behind: weights, and nothing of its gradients.</summary>
[TestClass]
public sealed class AfterTrainingTests
{
    // Seen to fail with: gradients left to the parameters.
    [TestMethod]
    [DataRow(ComputePrecision.Float32, 1)]
    [DataRow(ComputePrecision.Float32, 2)]
    [DataRow(ComputePrecision.BFloat16, 1)]
    [DataRow(ComputePrecision.BFloat16, 2)]
    public void No_parameter_has_a_gradient(ComputePrecision precision, int workers)
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(ScalarType.Float32);
        TrainingLoop.Run(
            model, Ragged.Examples(4), new TrainingOptions { MaximumSteps = 2, Batching = new() { MaximumTokensPerMicroBatch = 30, Workers = workers, Precision = precision } }, seed: 1);
        Assert.IsTrue(model.parameters().All(parameter => parameter.grad is null));
    }

    [TestMethod]
    public void No_parameter_has_a_gradient_once_its_flat_parameters_are_disposed_of()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model();
        using (BatchGradient gradient = new(model))
        {
            gradient.Accumulate([Ragged.Examples(2)]);
            Assert.IsTrue(model.parameters().All(parameter => parameter.grad is not null));
        }
        Assert.IsTrue(model.parameters().All(parameter => parameter.grad is null));
        Tensor logits = model.call(zeros(1, 3, dtype: int64));
        logits.sum().backward();
        Assert.IsTrue(model.parameters().Any(parameter => parameter.grad is not null), "a loop of one's own may go on with the model");
    }
}
