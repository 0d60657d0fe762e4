using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

[TestClass]
public sealed class RankTests
{
    // transformers #34242, #39392: targets were counted per rank, so a rank with one target weighed as much as a rank with many.
    // Seen to fail with: the other rank's targets left out of the count; its loss sums left out; gradients averaged over ranks; its micro-batches not counted.
    [TestMethod]
    [DataRow(LossNormalization.Token)]
    [DataRow(LossNormalization.Sum)]
    public void One_target_on_one_rank_and_many_on_another_give_the_gradient_of_their_union(LossNormalization normalization)
    {
        using var scope = NewDisposeScope();
        Random random = new(4);
        TokenExample one = Ragged.Example(random, 1, 0, masked: 0), many = Ragged.Example(random, 24, 1, masked: 0);
        (double expectedLoss, Tensor expected) = Ragged.FullBatch([one, many], divide: normalization == LossNormalization.Token);

        using Gpt2Model modelA = Ragged.Model(), modelB = Ragged.Model();
        GradientSettings settings = new() { Normalization = normalization };
        using WorkerGradient rankA = new(modelA, settings), rankB = new(modelB, settings);
        rankA.Add([one], 0);
        rankB.Add([many], 0);
        rankA.Merge(rankB);
        BatchLoss loss = rankA.DivideGradient(SingleRank.Instance);

        Assert.AreEqual(25, loss.TargetCount);
        Assert.AreEqual(2, loss.MicroBatches);
        Assert.AreEqual(expectedLoss, loss.Objective, 1e-12 * expectedLoss);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(rankA.Parameters.Gradients, expected));
    }
}
