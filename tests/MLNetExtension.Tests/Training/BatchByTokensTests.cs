using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training;

/// <summary>Trainings whose batches are given by target tokens.</summary>
[TestClass]
public sealed class BatchByTokensTests
{
    private static readonly TokenExample[] Rows = [.. Ragged.Examples(30), Ragged.WithoutTargets(9)];

    // The oracle computes each batch whole, by autograd and one division by its own targets, and steps by plain SGD.
    // Seen to fail with: a division by BatchTargetTokens. The control is the mean of means.
    [TestMethod]
    [DataRow(LossNormalization.Token, true)]
    [DataRow(LossNormalization.MicroBatchMean, false)]
    public void A_batch_is_divided_by_its_own_targets_however_it_is_split(LossNormalization normalization, bool isExact)
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model();
        List<StepReport> steps = [];
        TrainingOptions options = new()
        {
            BatchTargetTokens = 40, MaximumEpochs = 1, LearningRate = 0.1, Schedule = Constant, Loss = new() { Normalization = normalization },
            Optimizer = new SgdOptions { Momentum = 0, WeightDecay = 0, MaximumGradientNorm = 1e9 }, Batching = new() { MaximumTokensPerMicroBatch = 24, PackRows = false },
        };
        TrainingLoop.Run(model, Rows, options, seed: 1, steps.Add);

        int[][] batches = [.. EpochDivision.ByTargetTokens(Rows, 40).Divide(new EpochSampler(Rows.Length, 1).Order(0))];
        CollectionAssert.AreEqual(batches.Select(batch => batch.Length).ToArray(), steps.Select(step => step.Rows).ToArray());
        CollectionAssert.AreEqual(batches.Select(batch => (long)batch.Sum(row => Rows[row].TargetCount)).ToArray(), steps.Select(step => step.TargetTokens).ToArray());
        Assert.IsGreaterThan(1, steps.Max(step => step.MicroBatches));
        (double loss, Tensor gradient) = Ragged.FullBatch([.. batches[0].Select(row => Rows[row])]);
        Assert.AreEqual(loss, steps[0].Loss, 1e-12);
        Assert.AreEqual(isExact, Math.Abs(gradient.norm().ToDouble() - steps[0].GradientNorm) < 1e-12 * steps[0].GradientNorm);
        Assert.AreEqual(isExact, Ragged.RelativeError(Weights(model), Reference(batches)) < 1e-12);
    }

    // Limits and the schedule know how many steps there are before the first: the floor is reached with the last.
    [TestMethod]
    public void Epochs_end_where_the_schedule_ends()
    {
        using Gpt2Model model = Ragged.Model(ScalarType.Float32);
        List<StepReport> steps = [];
        TrainingOptions options = new() { BatchTargetTokens = 30, MaximumEpochs = 3, LearningRate = 1e-3, Schedule = new() { WarmupSteps = 0, MinimumLearningRateRatio = 0.1, Shape = ScheduleShape.Linear } };
        TrainingSummary summary = TrainingLoop.Run(model, Rows, options, seed: 1, steps.Add);

        int perEpoch = EpochDivision.ByTargetTokens(Rows, 30).Count;
        Assert.AreEqual((3 * perEpoch, 3, StopReason.LimitReached), (summary.Steps, summary.Epochs, summary.End));
        Assert.AreEqual(1, steps[^1].Progress);
        Assert.IsLessThan(1, steps[^2].Progress);
        Assert.AreEqual(3L * Rows.Sum(row => row.TargetCount), summary.TargetTokens);
        Assert.AreEqual(1e-3 * (1 - 0.9 * (3 * perEpoch - 1) / (3.0 * perEpoch)), steps[^1].LearningRate, 1e-3 / perEpoch);
        CollectionAssert.AreEqual(Enumerable.Range(0, 3 * perEpoch).Select(step => step / perEpoch + 1).ToArray(), steps.Select(step => step.Epoch).ToArray());
    }

    // A finished run of one epoch, extended to three; at a constant rate nothing tells that there were two limits.
    [TestMethod]
    [DataRow(null)]
    [DataRow(40)]
    public void A_run_of_one_epoch_extended_to_three_equals_a_run_of_three_bit_for_bit(int? tokens)
    {
        using TemporaryFolder folder = new();
        using var scope = NewDisposeScope();
        using Gpt2Model expected = Ragged.Model(ScalarType.Float32, dropout: 0.1), actual = Ragged.Model(ScalarType.Float32, dropout: 0.1);
        List<StepReport> whole = [], parts = [];
        Run(expected, 3, whole, null);
        TrainingSummary first = Run(actual, 1, parts, folder), rest = Run(actual, 3, parts, folder);

        Assert.AreEqual(StopReason.LimitReached, first.End);
        Assert.AreEqual(2 * first.Steps, rest.Steps);
        CollectionAssert.AreEqual(whole.Select(step => (step.Step, step.Epoch, step.Loss, step.LearningRate)).ToArray(), parts.Select(step => (step.Step, step.Epoch, step.Loss, step.LearningRate)).ToArray());
        CollectionAssert.AreEqual(Weights(expected).bytes.ToArray(), Weights(actual).bytes.ToArray());

        TrainingSummary Run(Gpt2Model model, int epochs, List<StepReport> steps, TemporaryFolder? folder)
        {
            using CheckpointFolder? opened = folder is null ? null : CheckpointFolder.Open(folder.Path);
            TrainingOptions options = new() { MaximumEpochs = epochs, BatchTargetTokens = tokens, LearningRate = 1e-3, Schedule = Constant, Batching = new() { MaximumTokensPerMicroBatch = 50 } };
            return TrainingLoop.Run(new TrainingRun(model, Rows, options, Seed: 1)
            {
                OnStep = steps.Add,
                Checkpoints = opened is null ? null : new CheckpointManager(opened, TrainingInterval.Epochs(0.7), new Dictionary<string, string> { ["MaximumEpochs"] = $"{epochs}" }),
            });
        }
    }

    private static ScheduleOptions Constant => new() { WarmupSteps = 0, Shape = ScheduleShape.Constant };

    private static Tensor Reference(int[][] batches)
    {
        using Gpt2Model model = Ragged.Model();
        foreach (int[] rows in batches)
        {
            TokenExample[] batch = [.. rows.Select(row => Rows[row])];
            (Tensor ids, Tensor targets) = Ragged.Pad(batch);
            Tensor sum = nn.functional.cross_entropy(model.call(ids).flatten(0, 1), targets.flatten(), ignore_index: TokenExample.IgnoredTarget, reduction: nn.Reduction.Sum);
            model.zero_grad();
            (sum / batch.Sum(row => row.TargetCount)).backward();
            using var _ = no_grad();
            foreach (var parameter in model.parameters().Where(parameter => parameter.grad is not null))
                parameter.sub_(parameter.grad! * 0.1);
        }
        return Weights(model).clone();
    }

    private static Tensor Weights(Gpt2Model model) => cat([.. model.parameters().Select(p => p.detach().flatten())]);
}
