using FsCheck;
using FsCheck.Fluent;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>Prompts that are trained on with a weight: their losses and their count are multiplied by it, beside the row's own weight.</summary>
[TestClass]
public sealed class PromptWeightTests
{
    // Full-batch oracle: whole logits, torch's own cross entropy, a matrix of weights, autograd, one division.
    // Seen to fail with: the weight in the loss and not in the count; the row's own weight left out of its prompt; a prompt without a completion counted; no weight where rows are padded.
    [TestMethod]
    [DataRow(ScalarType.Float64, 1e-12)]
    [DataRow(ScalarType.Float32, 2e-6)]
    public void Any_split_of_weighted_rows_with_weighted_prompts_gives_the_full_batchs_gradient(ScalarType dtype, double tolerance) =>
        Prop.ForAll(Case.Generator.ToArbitrary(), drawn =>
        {
            using var scope = NewDisposeScope();
            (double expectedLoss, double expectedWeight, Tensor expected) = FullBatch(drawn, dtype);
            if (expectedWeight == 0)
                return true;
            (BatchLoss loss, Tensor gradient) = Run(drawn, dtype, LossNormalization.Token);
            return Ragged.RelativeError(gradient, expected) < tolerance
                && Math.Abs(loss.Mean - expectedLoss) <= tolerance * expectedLoss
                && Math.Abs(loss.TargetCount - expectedWeight) <= 1e-12 * expectedWeight;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(40).WithReplay(20261126, 1));

    // The control: on such batches the mean of means is another gradient.
    [TestMethod]
    public void The_mean_of_means_is_another_gradient()
    {
        Case drawn = new(Seed: 5, Rows: 7, PromptWeight: 0.25, Pack: false, SplitSeed: 3);
        using var scope = NewDisposeScope();
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(Run(drawn, ScalarType.Float64, LossNormalization.MicroBatchMean).Gradient, FullBatch(drawn, ScalarType.Float64).Gradient));
        Assert.IsLessThan(1e-12, Ragged.RelativeError(Run(drawn, ScalarType.Float64, LossNormalization.Token).Gradient, FullBatch(drawn, ScalarType.Float64).Gradient));
    }

    // Rows whose every token is a target are what weight 1 makes of prompts, and weight 0 leaves what there was.
    [TestMethod]
    public void Weight_1_is_training_on_the_whole_row_and_weight_0_on_the_completion_alone()
    {
        int[] tokens = [3, 1, 4, 1, 5, 9, 2, 6];
        TokenExample masked = Row(firstTarget: 4), whole = Row(firstTarget: 1);
        using var scope = NewDisposeScope();
        using MicroBatch none = MicroBatch.Collate([masked], CPU), all = MicroBatch.Collate([masked], CPU, promptWeight: 1), expected = MicroBatch.Collate([whole], CPU);
        CollectionAssert.AreEqual(expected.Targets.data<long>().ToArray(), all.Targets.data<long>().ToArray());
        CollectionAssert.AreEqual(expected.TargetPositions.data<long>().ToArray(), all.TargetPositions.data<long>().ToArray());
        Assert.AreEqual((7L, 7.0, 4L, 4.0), (all.TargetCount, all.TargetWeight, none.TargetCount, none.TargetWeight));
        Assert.IsNull(all.TargetWeights);
        Assert.IsNull(none.TargetWeights);

        TokenExample Row(int firstTarget) =>
            new(tokens[..^1], [.. tokens.Skip(1).Select((token, t) => t + 1 >= firstTarget ? token : TokenExample.IgnoredTarget)], targetBytes: 4, position: 0);
    }

    // A chat: the user's turns and the template's tokens lie between the assistant's, and what follows its last word is not in the row.
    [TestMethod]
    public void Each_target_has_its_own_weight_whatever_comes_between()
    {
        const int no = TokenExample.IgnoredTarget;
        TokenExample chat = new([10, 11, 12, 13, 14, 15], [no, 12, 13, no, 15, no], targetBytes: 3, position: 0, weight: 3);
        using MicroBatch batch = MicroBatch.Pack([chat, Ragged.WithoutTargets(4)], CPU, promptWeight: 0.5);
        CollectionAssert.AreEqual(new long[] { 11, 12, 13, 14, 15 }, batch.Targets.data<long>().ToArray());
        CollectionAssert.AreEqual(new[] { 1.5, 3, 3, 1.5, 3 }, batch.TargetWeights!.data<double>().ToArray());
        Assert.AreEqual(12, batch.TargetWeight);
    }

    private static (BatchLoss Loss, Tensor Gradient) Run(Case drawn, ScalarType dtype, LossNormalization normalization)
    {
        using Gpt2Model model = Ragged.Model(dtype);
        using BatchGradient gradient = new(model, new GradientSettings { Normalization = normalization, Loss = new LinearCrossEntropy(chunkTokens: 7), Pack = drawn.Pack, PromptWeight = drawn.PromptWeight });
        return (gradient.Accumulate(drawn.Split()), gradient.Parameters.Gradients.clone().to(float64));
    }

    private static (double Loss, double Weight, Tensor Gradient) FullBatch(Case drawn, ScalarType dtype)
    {
        TokenExample[] batch = drawn.Batch();
        using Gpt2Model model = Ragged.Model(dtype);
        using FlatParameters parameters = new(model.named_parameters());
        (Tensor ids, Tensor targets) = Ragged.Pad(batch);
        int rows = batch.Length, length = (int)ids.shape[1];
        long[] wanted = targets.data<long>().ToArray(), given = ids.data<long>().ToArray();
        double[] weights = new double[rows * length];
        for (int row = 0; row < rows; row++)
        {
            bool isTrainedOn = batch[row].Targets.Any(target => target >= 0);
            for (int t = 0; t < batch[row].Length && isTrainedOn; t++)
            {
                int at = row * length + t;
                bool isCompletion = wanted[at] >= 0, isPrompt = !isCompletion && t + 1 < batch[row].Length;
                weights[at] = batch[row].Weight * (isCompletion ? 1 : isPrompt ? drawn.PromptWeight : 0);
                wanted[at] = isPrompt ? given[at + 1] : wanted[at];
            }
        }
        Tensor losses = nn.functional.cross_entropy(model.call(ids).flatten(0, 1), tensor([.. wanted.Select(target => Math.Max(0, target))]), reduction: nn.Reduction.None);
        double total = weights.Sum();
        Tensor loss = (losses * tensor(weights, dtype: dtype)).sum() / total;
        loss.backward();
        return (loss.ToDouble(), total, parameters.Gradients.clone().to(float64));
    }

    internal sealed record Case(int Seed, int Rows, double PromptWeight, bool Pack, int SplitSeed)
    {
        public static Gen<Case> Generator =>
            from seed in Gen.Choose(0, 1_000_000)
            from rows in Gen.Choose(1, 7)
            from promptWeight in Gen.Elements(0, 0.01, 0.25, 1)
            from pack in Gen.Elements(false, true)
            from splitSeed in Gen.Choose(0, 1_000_000)
            select new Case(seed, rows, promptWeight, pack, splitSeed);

        public TokenExample[] Batch()
        {
            Random random = new(Seed);
            return [.. Enumerable.Range(0, Rows).Select(row => WithPrompt(
                Ragged.Example(random, random.Next(1, 25), row, masked: random.NextDouble() * 0.8, weight: random.Next(4) / 2.0), random.Next(12))), Ragged.WithoutTargets(9)];
        }

        // The beginning of the row is its prompt; a short row may be nothing else.
        private static TokenExample WithPrompt(TokenExample row, int length) =>
            new(row.Ids, [.. row.Targets.Select((target, t) => t < length ? TokenExample.IgnoredTarget : target)], row.TargetBytes, row.Position, weight: row.Weight);

        // Any order, in pieces of any size.
        public IReadOnlyList<IReadOnlyList<TokenExample>> Split()
        {
            Random random = new(SplitSeed);
            TokenExample[] rows = Batch();
            random.Shuffle(rows);
            List<IReadOnlyList<TokenExample>> microBatches = [];
            for (int start = 0, size; start < rows.Length; start += size)
            {
                size = random.Next(1, Math.Min(3, rows.Length - start) + 1);
                microBatches.Add(rows[start..(start + size)]);
            }
            return microBatches;
        }
    }
}
