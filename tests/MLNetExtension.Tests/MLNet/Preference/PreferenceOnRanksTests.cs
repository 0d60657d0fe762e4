using Microsoft.ML;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tests.MLNet.Evaluation;
using MLNetExtension.Tests.Training.Ranks;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.Tests.MLNet.Preference;

[TestClass]
public sealed class PreferenceOnRanksTests
{
    private static readonly MLContext Context = new(seed: 1);

    // KTO's z is of groups of rows, which are dealt to the ranks as a whole.
    [TestMethod]
    [DataRow(2, false)]
    [DataRow(2, true)]
    [DataRow(3, true)]
    public void Ranks_measure_a_share_each_and_get_the_same_metrics_as_one(int size, bool isKto)
    {
        PreferenceMetrics alone = Measure(SingleRank.Instance, isKto);
        Assert.IsGreaterThan(1e-3, Math.Abs(alone.ChosenReward - alone.RejectedReward), "chosen and rejected ones differ");
        foreach (PreferenceMetrics one in ThreadRankGroup.Run(size, ranks => Measure(ranks, isKto)))
        {
            Assert.AreEqual(alone.Loss, one.Loss, 1e-12 * alone.Loss);
            Assert.AreEqual(alone.Accuracy, one.Accuracy, 1e-12);
            Assert.AreEqual(alone.ChosenReward, one.ChosenReward, 1e-10);
            Assert.AreEqual(alone.RejectedReward, one.RejectedReward, 1e-10);
            Assert.AreEqual(alone.ChosenLogProbability, one.ChosenLogProbability, 1e-10);
            Assert.AreEqual(alone.RejectedLogProbability, one.RejectedLogProbability, 1e-10);
            Assert.AreEqual((alone.Pairs, alone.SkippedPairs), (one.Pairs, one.SkippedPairs));
        }
    }

    private static PreferenceMetrics Measure(IRankGroup ranks, bool isKto)
    {
        using Gpt2Model network = TinyModels.Gpt2(seed: 3), other = TinyModels.Gpt2(seed: 4);
        using CausalLanguageModelTransformer model = TinyTransformers.Create(network, ranks: ranks), reference = TinyTransformers.Create(other, ranks: ranks);
        IDataView data = Context.Data.LoadFromEnumerable(Enumerable.Range(0, 30).Select(i => new Row($"{i}?", $"{i * i}", $"not {i}", i % 3 == 0)).ToArray());
        InputColumns columns = isKto ? InputColumns.Labelled(completion: "Chosen") : InputColumns.Pairs();
        return Context.CausalLanguageModeling.EvaluatePreference(data, model, reference, columns, isKto ? PreferenceMethod.Kto() : PreferenceMethod.Dpo());
    }

    private sealed record Row(string Prompt, string Chosen, string Rejected, bool Label);
}
