using MLNetExtension.Training.Optimization;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>Whole trainings in bfloat16 over float32 master weights.</summary>
[TestClass]
public sealed class HalfPrecisionTrainingTests
{
    // Seen to fail with: stepped values that never reach the model, so that every step meets the weights it began with (the trained weights alone do not show it: ten steps come out
    // within 2 percent either way).
    [TestMethod]
    public void The_loss_falls_step_by_step_as_it_does_in_float32()
    {
        double[] single = Losses(ComputePrecision.Float32), half = Losses(ComputePrecision.BFloat16);
        Assert.IsLessThan(single[0] * 0.7, single[^1]);
        for (int step = 0; step < single.Length; step++)
            Assert.AreEqual(single[step], half[step], single[step] * 0.03, $"step {step}");

        static double[] Losses(ComputePrecision precision)
        {
            using Gpt2Model model = Ragged.Model(ScalarType.Float32);
            List<double> losses = [];
            TrainingLoop.Run(
                model,
                Ragged.Examples(8),
                new TrainingOptions { MaximumSteps = 20, Schedule = new() { WarmupSteps = 0 }, LearningRate = 0.01, Batching = new() { MaximumTokensPerMicroBatch = 60, Precision = precision } },
                seed: 1,
                step => losses.Add(step.Loss));
            return [.. losses];
        }
    }

    [TestMethod]
    public void Steps_too_small_to_change_a_weight_give_every_weight_back_to_the_bit()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(ScalarType.Float32);
        byte[] before = Weights(model).bytes.ToArray();
        TrainingLoop.Run(
            model,
            Ragged.Examples(4),
            new TrainingOptions { MaximumSteps = 2, LearningRate = 1e-300, Optimizer = new AdamWOptions { WeightDecay = 0 }, Batching = new() { Precision = ComputePrecision.BFloat16 } },
            seed: 1);
        CollectionAssert.AreEqual(before, Weights(model).bytes.ToArray());
    }

    private static Tensor Weights(Gpt2Model model) => cat([.. model.parameters().Select(p => p.detach().flatten())]);
}
