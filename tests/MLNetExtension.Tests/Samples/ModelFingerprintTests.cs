using Microsoft.ML;
using Samples.Jobs;
using Samples.Reporting;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class ModelFingerprintTests
{
    // Of one weight, so small a change that no metric shows it.
    [TestMethod]
    public void A_model_loaded_back_with_a_single_other_weight_is_noticed()
    {
        using TemporaryFolder folder = new();
        var recipe = new FromScratchRecipe { Network = new() { Layers = 1, Heads = 1, Width = 8, ContextLength = 32 } };
        (recipe.Settings.DataFile, recipe.Settings.OutputFolder) = (folder.WritePrompts("rows.jsonl"), folder["out"]);
        CommandLine.TrainTiny(recipe.Settings.DataFile, recipe.Settings.OutputFolder);
        var mlContext = new MLContext(1);
        RowSplit split = RowSplit.Create(mlContext, recipe.ReadRows(), recipe.Settings);
        using TrainedModel model = TrainedModel.Load(mlContext, folder["out/model.zip"]), loaded = TrainedModel.Load(mlContext, folder["out/model.zip"]);
        ModelFingerprint saved = ModelFingerprint.Of(mlContext, model, split);

        Assert.IsNull(saved.DifferenceFrom(ModelFingerprint.Of(mlContext, loaded, split)), "the control");
        using (no_grad())
            loaded.LanguageModel.Model.Network.parameters().First().flatten()[0].add_(1e-6);
        ModelFingerprint changed = ModelFingerprint.Of(mlContext, loaded, split);

        Assert.IsTrue(saved.Metrics.Agrees(changed.Metrics));
        Assert.AreEqual("it has other weights", saved.DifferenceFrom(changed));
    }

    [TestMethod]
    public void Equal_weights_that_give_other_metrics_are_noticed()
    {
        MetricsReport metrics = new(2.5, 12.18, 3.6, 0.9, 0.5, 100, 16);
        Assert.AreEqual(
            "its loss on 16 held-out rows is 2.6, not 2.5",
            new ModelFingerprint("a", metrics).DifferenceFrom(new ModelFingerprint("a", metrics with { Loss = 2.6 })));
        Assert.IsNull(new ModelFingerprint("a", metrics).DifferenceFrom(new ModelFingerprint("a", metrics with { Loss = 2.5 * (1 + 1e-6) })));
    }
}
