using Microsoft.ML;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tests.Formats.HuggingFace;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization.Bytes;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Archive;

/// <summary>Weights that are not finite: no file is written of them, and no training starts from them.</summary>
[TestClass]
public sealed class FiniteWeightsTests
{
    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.PositiveInfinity)]
    [DataRow(float.NegativeInfinity)]
    public void A_model_with_such_weights_is_not_saved(float value)
    {
        using TemporaryFolder folder = new();
        var mlContext = new MLContext(seed: 1);
        using var model = Create(value, adapters: false);

        AssertRefused(() => mlContext.Model.Save(model, null, folder["model.zip"]), "wte.weight");
        AssertRefused(() => model.SaveAsHuggingFace(folder["model"]), "wte.weight");
        AssertRefused(() => model.SaveAsOnnx(folder["model"]), "wte.weight");
        AssertRefused(() => model.SaveAsGguf(folder["model"]), "wte.weight");
        Assert.IsFalse(Directory.Exists(folder["model"]));
        mlContext.Model.Save(Create(1, adapters: false), null, new MemoryStream());
    }

    [TestMethod]
    public void Adapters_with_such_weights_are_not_saved()
    {
        using TemporaryFolder folder = new();
        using var model = Create(float.NaN, adapters: true);
        AssertRefused(() => model.SaveAdapters(folder["adapters"]), "lora");
        Assert.IsFalse(Directory.Exists(folder["adapters"]));
    }

    [TestMethod]
    public void No_training_starts_from_a_published_model_with_such_weights()
    {
        using CheckpointCopy model = new("gpt2");
        Dictionary<string, Tensor> tensors = CheckpointCopy.Tensors(model.Path);
        string name = tensors.Keys.First(key => key.EndsWith("h.0.mlp.c_fc.weight", StringComparison.Ordinal));
        tensors[name].flatten()[5] = double.NaN;
        model.Write(tensors);
        var mlContext = new MLContext(seed: 1);
        var options = Tiny.Options(steps: 1);
        (options.Model, options.Columns) = (LanguageModel.Pretrained(model.Path), InputColumns.TokenIds("Vector"));
        var data = mlContext.Data.LoadFromEnumerable(new[] { new Ids { Vector = [1, 2, 3] } });

        var error = Assert.ThrowsExactly<InvalidDataException>(() => mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(data));

        StringAssert.StartsWith(error.Message, $"{model["model.safetensors"]}: the tensor '");
        StringAssert.Contains(error.Message, "h.0.mlp.c_fc.weight");
    }

    [TestMethod]
    public void Values_are_counted_in_pieces()
    {
        using var scope = NewDisposeScope();
        Tensor values = zeros((1 << 22) + 3);
        Assert.AreEqual(0, FiniteWeights.CountNonFinite(values));
        values[0] = double.NaN;
        values[1 << 22] = double.PositiveInfinity;
        values[-1] = double.NegativeInfinity;
        Assert.AreEqual(3, FiniteWeights.CountNonFinite(values));
    }

    private static CausalLanguageModelTransformer Create(float value, bool adapters)
    {
        Gpt2Model network = TinyModels.Gpt2(ScalarType.Float32);
        LoraAdapters? attached = adapters ? TrainedLanguageModel.AttachAdapters(network, new LoraOptions(), seed: 1) : null;
        using (no_grad())
        {
            var (_, parameter) = network.named_parameters().First(pair => !adapters || pair.parameter.requires_grad);
            parameter.detach().flatten().narrow(0, 7, 3).fill_(value);
        }
        return new CausalLanguageModelTransformer(new TrainedLanguageModel(network, new ByteLevelTokenizer(), attached), new CausalLanguageModelTrainer.Options(), training: null);
    }

    private static void AssertRefused(Action save, string tensor)
    {
        InvalidOperationException error = Assert.ThrowsExactly<InvalidOperationException>(save);
        StringAssert.StartsWith(error.Message, "The model cannot be saved: 3 of ");
        StringAssert.Contains(error.Message, tensor);
        StringAssert.Contains(error.Message, "values of its weight '");
    }

    private sealed class Ids
    {
        [Microsoft.ML.Data.VectorType(3)]
        public int[] Vector { get; set; } = [];
    }
}
