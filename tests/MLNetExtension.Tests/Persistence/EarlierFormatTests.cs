using Microsoft.ML;
using MLNetExtension.Estimators;
using MLNetExtension.Tests.Estimators;
using MLNetExtension.Tests.Repository;

namespace MLNetExtension.Tests.Persistence;

/// <summary>Models that earlier versions saved, kept as they were: what is written down there is never made anew.</summary>
[TestClass]
public sealed class EarlierFormatTests
{
    // model-format-1.zip: Microsoft.ML 5.0.1; Tiny.Options(steps: 20) with a width of 8 and a context of 16, trained on Tiny.Texts and saved with mlContext.Model.Save;
    // the sums are what it gave for Tiny.Texts then.
    [TestMethod]
    public void A_model_of_the_first_format_loads_and_gives_the_same_losses()
    {
        double[] expected = [83.00805, 57.35552, 5.1460457, 83.08997, 67.47913, 41.3818, 82.80528, 20.724833];
        var mlContext = new MLContext();
        mlContext.CausalLanguageModeling.RegisterLoader();

        using var model = (CausalLanguageModelTransformer)mlContext.Model.Load(
            Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Persistence/Golden/model-format-1.zip"), out _);

        var losses = Tiny.Score(mlContext, model, Tiny.Rows(mlContext, Tiny.Texts)).Select(row => row.LossSum).ToArray();
        Assert.HasCount(expected.Length, losses);
        for (int row = 0; row < losses.Length; row++)
            Assert.AreEqual(expected[row], losses[row], 1e-4 * expected[row], $"row {row}");
    }
}
