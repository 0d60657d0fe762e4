using Microsoft.ML;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.MLNet;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Lora;

/// <summary>Frozen weights that are stored in fewer bits than the model computes in.</summary>
[TestClass]
public sealed class BasePrecisionTests
{
    // GPT-2's files hold transposes, Llama's parts of joined matrices. Seen to fail with: every part stored in the first rows; the transpose taken for the matrix.
    [TestMethod]
    [DataRow("gpt2", BasePrecision.Int8)]
    [DataRow("llama", BasePrecision.Int8)]
    [DataRow("qwen3-moe", BasePrecision.Int8)]
    [DataRow("gpt2", BasePrecision.BFloat16)]
    [DataRow("phi3", BasePrecision.BFloat16)]
    public void A_model_that_is_read_so_equals_one_that_is_converted(string name, BasePrecision precision)
    {
        string folder = Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Models/Golden", name);
        LoraOptions options = new() { BasePrecision = precision };
        using HuggingFaceModel read = HuggingFaceModel.Load(folder, adapters: options), converted = HuggingFaceModel.Load(folder), whole = HuggingFaceModel.Load(folder);
        HuggingFaceAdapters.StoreBase(converted.Model, options, keepsValues: true);

        Dictionary<string, Tensor> expected = converted.Model.state_dict(), actual = read.Model.state_dict();
        CollectionAssert.AreEqual(expected.Keys, actual.Keys);
        foreach ((string key, Tensor values) in expected)
            Assert.IsTrue(values.dtype == actual[key].dtype && values.eq(actual[key]).all().ToBoolean(), key);

        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor ids = arange(0, 8, dtype: int64).unsqueeze(0), logits = whole.Model.call(ids);
        double error = Ragged.RelativeError(read.Model.call(ids), logits);
        Assert.IsLessThan(0.1, error, "nearly the same, though a router may choose another expert");
        if (name == "phi3")
            Assert.AreEqual(0, error, "published in bfloat16");
        else
            Assert.IsGreaterThan(1e-5, error, "rounded");
    }

    [TestMethod]
    public void Embedding_head_norms_biases_routers_and_what_is_trained_whole_keep_their_type()
    {
        using CausalLanguageModel model = Adapted.Model("Mixtral", ScalarType.Float32);
        HuggingFaceAdapters.StoreBase(model, new LoraOptions { TargetModules = ["q_proj"], TrainedModules = ["1.self_attn.o_proj"], BasePrecision = BasePrecision.Int8 }, keepsValues: true);
        string[] stored = [.. model.named_parameters().Where(pair => pair.parameter.dtype == ScalarType.Int8).Select(pair => pair.name)];
        string[] expected = [.. model.named_parameters().Select(pair => pair.name).Where(name =>
            name.EndsWith("qkv.weight", StringComparison.Ordinal) || name.EndsWith("attention.output.weight", StringComparison.Ordinal) && !name.StartsWith("layers.1.", StringComparison.Ordinal)
            || name.Contains(".experts.", StringComparison.Ordinal))];
        CollectionAssert.AreEqual(expected, stored);
        Assert.HasCount(3 + 2 + 3 * 3 * 2, stored);
    }

    [TestMethod]
    [DataRow(BasePrecision.Int8, ComputePrecision.Float32)]
    [DataRow(BasePrecision.Int8, ComputePrecision.BFloat16)]
    [DataRow(BasePrecision.BFloat16, ComputePrecision.Float32)]
    public void A_trained_model_is_trained_further_over_such_a_base_and_so_is_a_new_one(BasePrecision precision, ComputePrecision computation)
    {
        MLContext mlContext = new(seed: 1);
        IDataView rows = Tiny.Rows(mlContext, Tiny.Texts);
        using CausalLanguageModelTransformer start = Train(null), further = Train(start);
        using CausalLanguageModelTransformer third = Train(further);
        Tensor[] weights = [.. third.Model.Network.parameters().Where(parameter => !parameter.requires_grad && parameter.dim() == 2)];
        Assert.AreEqual(precision == BasePrecision.Int8 ? 4 : 0, weights.Count(weight => weight.dtype == ScalarType.Int8));
        Assert.IsLessThan(LossOf(start), LossOf(third));

        double LossOf(CausalLanguageModelTransformer model) => mlContext.CausalLanguageModeling.Evaluate(model.Transform(rows)).Loss;

        CausalLanguageModelTransformer Train(CausalLanguageModelTransformer? from)
        {
            var options = Tiny.Options();
            options.Model = from is null ? options.Model : LanguageModel.Trained(from);
            (options.Adapters, options.Batching) = (new LoraOptions { Rank = 2, BasePrecision = precision }, new() { Precision = computation });
            return Tiny.Train(mlContext, options);
        }
    }

    [TestMethod]
    public void What_cannot_be_stored_so_is_refused_by_name()
    {
        var options = Tiny.Options();
        options.Adapters = new LoraOptions { BasePrecision = (BasePrecision)7 };
        AssertRefused("Adapters.BasePrecision is 7; allowed is Computation, BFloat16, Int8.");
        options.Adapters = new LoraOptions { BasePrecision = BasePrecision.Int8, TrainedModules = ["wte"] };
        options.Batching = new() { Precision = ComputePrecision.BFloat16 };
        AssertRefused("Adapters.BasePrecision is Int8; allowed is Computation with TrainedModules and Batching.Precision BFloat16.");

        void AssertRefused(string message) => StringAssert.StartsWith(Assert.ThrowsExactly<ArgumentOutOfRangeException>(options.Validate).Message, message);
    }
}
