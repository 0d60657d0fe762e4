using System.Globalization;
using Microsoft.ML;
using MLNetExtension.Losses;
using MLNetExtension.Training;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>A loss of one's own through the public option. Cases 13 (transformers #36331, unsloth #8261) and 42 (trl #5710, LLaMA-Factory #9409).</summary>
[TestClass]
public sealed class CustomLossTests
{
    private static readonly CustomTokenLoss CrossEntropy = CustomTokenLoss.OfLogits((logits, targets, _) => new LossSum(Losses(logits, targets).sum(), targets.shape[0]));

    private static readonly CustomTokenLoss Penalized = CustomTokenLoss.OfLogits((logits, targets, _) => new LossSum(Losses(logits, targets).sum() + logits.square().sum(), targets.shape[0]));

    private static readonly CustomTokenLoss MeanOfMeans = CustomTokenLoss.OfLogits((logits, targets, _) => new LossSum(Losses(logits, targets).mean(), 1));

    [TestMethod]
    public void The_cross_entropy_written_as_a_custom_loss_trains_the_same_model() => Assert.IsLessThan(1e-5, Distance(Train(CrossEntropy, 1000), Train(null, 1000)));

    [TestMethod]
    public void A_custom_loss_trains_the_same_model_for_every_split()
    {
        Assert.IsLessThan(1e-5, Distance(Train(Penalized, 24), Train(Penalized, 1000)));
        Assert.IsGreaterThan(1e-3, Distance(Train(Penalized, 1000), Train(null, 1000)), "it is another loss");
        Assert.IsGreaterThan(1e-3, Distance(Train(MeanOfMeans, 24), Train(MeanOfMeans, 1000)), "one that returns means depends on the split");
    }

    [TestMethod]
    public void What_belongs_to_the_cross_entropy_is_refused_beside_it()
    {
        MLContext mlContext = new();
        foreach (var (loss, name) in new[] { (new LossOptions { TokenLoss = Penalized, LabelSmoothing = 0.1 }, "LabelSmoothing"), (new() { TokenLoss = Penalized, ZLoss = 1e-4 }, "ZLoss") })
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(new() { Loss = loss }));
            StringAssert.Contains(error.Message, string.Create(CultureInfo.InvariantCulture, $"Loss.{name} is {(name == "ZLoss" ? 1e-4 : 0.1)}; allowed is 0 beside Loss.TokenLoss"));
        }
    }

    // A saved model does not hold the loss; its options load all the same.
    [TestMethod]
    public void A_trained_model_does_not_keep_the_loss()
    {
        var options = Tiny.Options(steps: 1);
        options.Loss = new() { TokenLoss = Penalized };
        using var model = Tiny.Train(new MLContext(seed: 1), options);
        Assert.IsNull(model.Options.Loss.TokenLoss);
    }

    private static Tensor Losses(Tensor logits, Tensor targets) => nn.functional.cross_entropy(logits, targets, reduction: nn.Reduction.None);

    private static float[] Train(ITokenLoss? loss, int tokensPerMicroBatch)
    {
        MLContext mlContext = new(seed: 1);
        var options = Tiny.Options(steps: 4);
        (options.Loss, options.Batching) = (new() { TokenLoss = loss }, new() { MaximumTokensPerMicroBatch = tokensPerMicroBatch });
        using var model = Tiny.Train(mlContext, options);
        return [.. Tiny.Score(mlContext, model, Tiny.Rows(mlContext, Tiny.Texts)).Select(row => row.LossSum)];
    }

    private static double Distance(float[] losses, float[] others) => losses.Zip(others).Max(pair => Math.Abs(pair.First - pair.Second) / Math.Max(1, pair.Second));
}
