using MLNetExtension.Losses;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>Memory that grows with the number of parameters.</summary>
[TestClass]
[TestCategory("Alone")]
[DoNotParallelize]
public sealed class GradientMemoryTests
{
    private const long MiB = 1 << 20;

    // 32 Mi elements, 128 MiB. The control takes the norm of a copy.
    [TestMethod]
    public void Dividing_a_gradient_and_taking_its_norm_allocates_nothing_of_its_size()
    {
        if (!OperatingSystem.IsLinux())
            return;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using FlatParameters parameters = new([("weight", new Parameter(ones(32 * MiB)))]);
        using GradientAccumulator accumulator = new(parameters, LossNormalization.Token);
        parameters.Gradients.fill_(2);
        accumulator.Add(new LossSum(zeros([], dtype: float64), TargetCount: 2));

        Assert.IsLessThan(32 * MiB, PeakMemory.Growth(() => accumulator.DivideGradient()));
        Assert.IsGreaterThan(96 * MiB, PeakMemory.Growth(() => parameters.Gradients.square().sum().ToDouble()));
    }

    // 25 million parameters, 100 MB of gradients: a model that is served must not hold them. The control still has them.
    [TestMethod]
    [DataRow(ComputePrecision.Float32)]
    [DataRow(ComputePrecision.BFloat16)]
    public void After_training_the_gradients_memory_is_given_back(ComputePrecision precision)
    {
        if (!OperatingSystem.IsLinux())
            return;
        using var scope = NewDisposeScope();
        using (Gpt2Model first = Ragged.Model(ScalarType.Float32))
            Train(first, precision);
        using Gpt2Model model = new(new Gpt2Configuration(Ragged.Vocabulary, ContextLength: 24, Layers: 8, Heads: 2, Width: 512), seed: 1);
        long gradients = 4 * model.parameters().Sum(parameter => parameter.numel());
        Assert.IsGreaterThan(95_000_000, gradients);

        long before = PeakMemory.Held();
        Train(model, precision);
        Assert.IsLessThan(gradients / 10, PeakMemory.Held() - before);

        using BatchGradient gradient = new(model);
        gradient.Accumulate([Ragged.Examples(1)]);
        Assert.IsGreaterThan(gradients * 9 / 10, PeakMemory.Held() - before);
    }

    private static void Train(Gpt2Model model, ComputePrecision precision) =>
        TrainingLoop.Run(model, Ragged.Examples(1, shortest: 2, longest: 3), new TrainingOptions { MaximumSteps = 1, Batching = new() { MaximumTokensPerMicroBatch = 60, Precision = precision } }, seed: 1);
}
