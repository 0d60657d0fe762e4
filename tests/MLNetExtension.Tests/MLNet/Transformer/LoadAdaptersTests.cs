using Microsoft.ML;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models;
using MLNetExtension.Tests.Models.Custom;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization;
using static MLNetExtension.Tests.MLNet.Tiny;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Transformer;

[TestClass]
public sealed class LoadAdaptersTests
{
    // Made by PEFT 0.21.0 on bases in float32, see GoldenAdapterTests.
    [TestMethod]
    [DataRow("gpt2-dora", "gpt2", 1e-5)]
    [DataRow("llama-dora", "llama", 1e-5)]
    [DataRow("llama-orthogonal", "llama", 1e-5)]
    [DataRow("llama-pissa", "llama", 2e-4)]
    [DataRow("tied-llama-dora", "llama-linear", 1e-5)]
    public void Adapters_of_PEFT_on_their_base_give_its_logits_attached_and_merged(string name, string baseName, double tolerance)
    {
        string folder = Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Models/Lora/Golden/peft", name);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Dictionary<string, Tensor> golden = GoldenLogitsTests.Read(folder);
        HuggingFaceModel published = HuggingFaceModel.Load(Path.Combine(GoldenLogitsTests.Golden, baseName), ScalarType.Float32);
        using CausalLanguageModelTransformer model = new(
            new TrainedLanguageModel(published.Model, new TokenIdsOnly(published.Model.VocabularySize, null, 0), published: published), new CausalLanguageModelTrainer.Options(), training: null);
        Assert.IsGreaterThan(0.05, Error(), "the base alone");

        model.LoadAdapters(folder);

        Assert.IsLessThan(tolerance, Error());
        Assert.IsFalse(model.Model.Network.modules().Any(module => module.training));
        Assert.Contains("has adapters already", Assert.ThrowsExactly<InvalidOperationException>(() => model.LoadAdapters(folder)).Message);
        model.MergeAdapters();
        Assert.IsLessThan(tolerance, Error());

        double Error() => Ragged.RelativeError(model.Model.Network.call(golden["ids"]).to(float64), golden["logits"].to(float64));
    }

    [TestMethod]
    public void Saved_adapters_on_the_published_model_are_the_trained_model_and_are_archived_with_it()
    {
        using TemporaryFolder folder = new();
        string published = PublishedModel.Write(folder["published"]);
        MLContext mlContext = new(seed: 1);
        using CausalLanguageModelTransformer trained = Fit(steps: 3, new LoraOptions { Rank = 2, UseDora = true, Initialization = LoraInitialization.Pissa, TrainedModules = ["embed_tokens"] });
        trained.SaveAdapters(folder["adapters"]);
        using CausalLanguageModelTransformer model = Fit(steps: 0, adapters: null);
        float[] expected = Losses(trained), plain = Losses(model);

        model.LoadAdapters(folder["adapters"]);

        AssertClose(expected, Losses(model));
        Assert.IsGreaterThan(1e-3, plain.Zip(expected).Max(pair => Math.Abs(pair.First - pair.Second)), "the control: adapters matter");
        using MemoryStream archive = new();
        mlContext.Model.Save(model, null, archive);
        archive.Position = 0;
        using var loaded = (CausalLanguageModelTransformer)mlContext.Model.Load(archive, out _);
        CollectionAssert.AreEqual(Losses(model), Losses(loaded));

        CausalLanguageModelTransformer Fit(int steps, LoraOptions? adapters)
        {
            var options = Options(steps);
            (options.Model, options.Adapters, options.LearningRate) = (LanguageModel.Pretrained(published, contextLength: 64), adapters, 1e-2);
            return Train(mlContext, options);
        }

        float[] Losses(CausalLanguageModelTransformer scored) => [.. Score(mlContext, scored, Rows(mlContext, Texts)).Select(row => row.LossSum)];

        static void AssertClose(float[] expected, float[] actual)
        {
            for (int row = 0; row < expected.Length; row++)
                Assert.AreEqual(expected[row], actual[row], 1e-4 * expected[row]);
        }
    }

    [TestMethod]
    public void A_folder_that_does_not_fit_is_refused_and_the_model_is_as_it_was()
    {
        using TemporaryFolder folder = new();
        MLContext mlContext = new(seed: 1);
        var options = Options(steps: 0);
        options.Model = LanguageModel.Pretrained(PublishedModel.Write(folder["published"]), contextLength: 64);
        using CausalLanguageModelTransformer model = Train(mlContext, options);
        string before = model.Model.HashWeights(), golden = Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Models/Lora/Golden/peft/gpt2-dora");

        Assert.Contains("lacks adapter_config.json", Assert.ThrowsExactly<FileNotFoundException>(() => model.LoadAdapters(folder["published"])).Message);
        Assert.ThrowsExactly<InvalidDataException>(() => model.LoadAdapters(golden));
        Assert.AreEqual(before, model.Model.HashWeights());

        options.Model = LanguageModel.Custom("mine", () => new Recurrent(257, dtype: ScalarType.Float32), contextLength: 64);
        using CausalLanguageModelTransformer custom = Train(mlContext, options);
        Assert.Contains("custom model 'mine'", Assert.ThrowsExactly<NotSupportedException>(() => custom.LoadAdapters(golden)).Message);
    }
}
