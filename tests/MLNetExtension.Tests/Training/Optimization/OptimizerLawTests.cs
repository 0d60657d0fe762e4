using MLNetExtension.Data;
using MLNetExtension.Models.Llama;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Resume;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Optimization;

/// <summary>The law, whatever the optimizer: how batches are split changes nothing, and a run that resumes is the run that was not interrupted.</summary>
[TestClass]
public sealed class OptimizerLawTests
{
    public static IEnumerable<OptimizerOptions> Exact => [new AdamWOptions(), new MuonOptions(), new AdafactorOptions(), new LionOptions(), new SgdOptions { Nesterov = true }];

    public static IEnumerable<OptimizerOptions> All => [.. Exact, new AdamWOptions { StateBits = 8 }];

    // The control is the mean of means, of which every optimizer makes other weights. No biases: the gradient of a key's is 0 but for rounding, and Lion steps by its sign.
    [TestMethod]
    [DynamicData(nameof(Exact))]
    public void Any_split_gives_the_same_weights(OptimizerOptions optimizer)
    {
        using var scope = NewDisposeScope();
        Tensor whole = Train(optimizer, Options(1000)), split = Train(optimizer, Options(30)), workers = Train(optimizer, Options(40, workers: 2));
        Tensor means = Train(optimizer, Options(30) with { Loss = new() { Normalization = LossNormalization.MicroBatchMean } });

        Assert.IsLessThan(1e-11, Ragged.RelativeError(split, whole));
        Assert.IsLessThan(1e-11, Ragged.RelativeError(workers, whole));
        Assert.IsGreaterThan(1e-6, Ragged.RelativeError(means, whole));
    }

    // Seen to fail with: the scales of the 8-bit state left out of the checkpoint.
    [TestMethod]
    [DynamicData(nameof(All))]
    public void A_training_that_resumes_goes_on_bit_for_bit(OptimizerOptions optimizer)
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        Tensor uninterrupted = Train(optimizer, Options(50), ScalarType.Float32);
        Tensor half = Train(optimizer, Options(50) with { MaximumSteps = 4 }, ScalarType.Float32, folder);
        Tensor resumed = Train(optimizer, Options(50), ScalarType.Float32, folder);

        CollectionAssert.AreEqual(uninterrupted.bytes.ToArray(), resumed.bytes.ToArray());
        CollectionAssert.AreNotEqual(uninterrupted.bytes.ToArray(), half.bytes.ToArray(), "the control: there was something left to do");
    }

    // What is learned from 8 bits differs from what 32 give by less than what another seed makes: the figure of docs/optimizers.md.
    [TestMethod]
    public void A_state_of_8_bits_gives_nearly_the_weights_of_32()
    {
        using var scope = NewDisposeScope();
        using LlamaModel untrained = Create(ScalarType.Float64);
        Tensor before = Weights(untrained), exact = Train(new AdamWOptions(), Options(50)) - before, rounded = Train(new AdamWOptions { StateBits = 8 }, Options(50)) - before;
        double error = Ragged.RelativeError(rounded, exact);
        Assert.IsLessThan(0.1, error);
        Assert.IsGreaterThan(1e-4, error, "the control: the state was rounded");
    }

    private static TrainingOptions Options(int tokens, int workers = 1) => new()
    {
        BatchSize = 6, MaximumSteps = 8, LearningRate = 1e-2, Schedule = new() { Shape = ScheduleShape.Constant, WarmupSteps = 2 },
        Batching = new() { MaximumTokensPerMicroBatch = tokens, Workers = workers, Threads = workers },
    };

    private static Tensor Train(OptimizerOptions optimizer, TrainingOptions options, ScalarType dtype = ScalarType.Float64, TemporaryFolder? checkpoints = null)
    {
        using LlamaModel model = Create(dtype);
        using CheckpointFolder? opened = checkpoints is null ? null : CheckpointFolder.Open(checkpoints.Path);
        TokenExample[] examples = Ragged.Examples(18);
        TrainingLoop.Run(new TrainingRun(model, examples, options with { Optimizer = optimizer }, Seed: 3)
        {
            Checkpoints = opened is null ? null : new CheckpointManager(opened, 4, new Dictionary<string, string>()),
        });
        return Weights(model);
    }

    private static LlamaModel Create(ScalarType dtype)
    {
        LlamaModel model = new(
            new LlamaConfiguration
            {
                VocabularySize = Ragged.Vocabulary, ContextLength = 32, Layers = 2, Width = 16, FeedForwardWidth = 24, Heads = 2, KeyValueHeads = 1, HeadWidth = 8, TiedHead = false,
            },
            seed: 5);
        model.to(dtype);
        return model;
    }

    private static Tensor Weights(LlamaModel model) => cat([.. model.parameters().Select(p => p.detach().flatten())]);
}
