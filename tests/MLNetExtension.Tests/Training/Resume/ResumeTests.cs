using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Resume;

/// <summary>transformers #46628, #39215, accelerate #4071: resuming in the middle of an epoch diverged.</summary>
[TestClass]
public sealed class ResumeTests
{
    // 5 batches an epoch, the last one short: interrupted in an epoch, at its end, and twice.
    [TestMethod]
    [DataRow(7)]
    [DataRow(5)]
    [DataRow(3, 11)]
    public void A_resumed_training_equals_an_uninterrupted_one_bit_for_bit(params int[] interruptions)
    {
        using var scope = NewDisposeScope();
        List<StepReport> whole = [], parts = [];
        using Gpt2Model expected = Ragged.Model(ScalarType.Float32, dropout: 0.1), actual = Ragged.Model(ScalarType.Float32, dropout: 0.1);
        TrainingLoop.Run(expected, Examples, Options, seed: 1, whole.Add);

        using TemporaryFolder folder = new();
        foreach (int interruption in interruptions)
        {
            using CancellationTokenSource source = new();
            void Interrupt(StepReport step)
            {
                parts.Add(step);
                if (step.Step == interruption)
                    source.Cancel();
            }
            Assert.ThrowsExactly<OperationCanceledException>(() => Run(actual, folder, Interrupt, source.Token));
            using CheckpointFolder found = CheckpointFolder.Open(folder.Path);
            Assert.AreEqual(interruption, found.NewestState?.Steps);
        }
        Run(actual, folder, parts.Add);

        CollectionAssert.AreEqual(whole.Select(step => (step.Step, step.Epoch, step.Loss, step.LearningRate)).ToArray(), parts.Select(step => (step.Step, step.Epoch, step.Loss, step.LearningRate)).ToArray());
        CollectionAssert.AreEqual(whole.Select(step => step.TotalTargetTokens).ToArray(), parts.Select(step => step.TotalTargetTokens).ToArray());
        CollectionAssert.AreEqual(Bytes(expected), Bytes(actual));
    }

    [TestMethod]
    public void A_checkpoint_of_another_model_is_refused()
    {
        using TemporaryFolder folder = new();
        using Gpt2Model one = Ragged.Model(), other = Ragged.Model(experts: 2);
        Run(one, folder);
        InvalidDataException error = Assert.ThrowsExactly<InvalidDataException>(() => Run(other, folder));
        StringAssert.Contains(error.Message, "weights");
    }

    private static void Run(Gpt2Model model, TemporaryFolder folder, Action<StepReport>? onStep = null, CancellationToken cancellationToken = default)
    {
        using CheckpointFolder opened = CheckpointFolder.Open(folder.Path);
        CheckpointManager checkpoints = new(opened, interval: 1, new Dictionary<string, string>());
        TrainingLoop.Run(new TrainingRun(model, Examples, Options, Seed: 1) { OnStep = onStep, CancellationToken = cancellationToken, Checkpoints = checkpoints });
    }

    private static TokenExample[] Examples => Ragged.Examples(18);

    private static TrainingOptions Options => new() { BatchSize = 4, MaximumSteps = 14, Schedule = new() { WarmupSteps = 3 }, Batching = new() { MaximumTokensPerMicroBatch = 50 } };

    private static byte[] Bytes(Gpt2Model model) => cat([.. model.parameters().Select(p => p.detach().flatten())]).bytes.ToArray();
}
