using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Tests.Samples;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Formats.HuggingFace;

[TestClass]
public sealed class NonFiniteWeightsTests
{
    // Seen to fail with: no check, as it was (loads, and every score is NaN).
    [TestMethod]
    [DataRow(double.NaN, ScalarType.Float32)]
    [DataRow(double.PositiveInfinity, ScalarType.Float32)]
    [DataRow(double.NegativeInfinity, ScalarType.Float16)]
    [DataRow(double.NaN, ScalarType.BFloat16)]
    [DataRow(1e300, ScalarType.Float64)]
    public void A_weight_that_is_not_finite_is_refused_by_file_and_tensor(double value, ScalarType stored)
    {
        using var scope = NewDisposeScope();
        using CheckpointCopy copy = new("llama");
        Dictionary<string, Tensor> tensors = CheckpointCopy.Tensors(copy.Path);
        tensors["model.norm.weight"] = tensors["model.norm.weight"].to(stored);
        HuggingFaceModel.Load(copy.Path).Dispose();
        tensors["model.norm.weight"][3] = value;
        copy.Write(tensors);

        InvalidDataException error = Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceModel.Load(copy.Path).Dispose());

        Assert.AreEqual($"{copy["model.safetensors"]}: the tensor 'model.norm.weight' holds an element that is NaN or infinite in F32, expected finite numbers.", error.Message);
    }

    [TestMethod]
    public void An_adapter_that_is_not_finite_is_refused_by_file_and_tensor_and_the_model_is_as_before()
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        using CausalLanguageModel saved = Adapted.Model("Llama"), model = Adapted.Model("Llama");
        LoraAdapters adapters = HuggingFaceAdapters.Attach(saved, new LoraOptions { Rank = 2, TargetModules = ["q_proj"] }, 1);
        using (no_grad())
            adapters.Attached[1].Adapter.B[0, 1] = float.NaN;
        HuggingFaceAdapters.Save(adapters, folder.Path);
        int parameters = model.parameters().Count();

        InvalidDataException error = Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceAdapters.Load(model, folder.Path));

        StringAssert.StartsWith(error.Message, $"{folder["adapter_model.safetensors"]}: the tensor 'base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight' holds an element that is NaN or infinite");
        Assert.AreEqual(parameters, model.parameters().Count());
    }

    [TestMethod]
    [DataRow("r", "1000000000", "lora_A.weight")]
    [DataRow("r", "0", "'r' is 0, expected a whole number of at least 1")]
    [DataRow("r", "-2", "'r' is -2, expected a whole number of at least 1")]
    [DataRow("r", "1e9", "'r' is 1e9, expected a whole number of at least 1")]
    [DataRow("lora_alpha", "0", "'lora_alpha' is 0, expected from 1E-06 to 1000000.")]
    [DataRow("lora_alpha", "-1", "'lora_alpha' is -1, expected from 1E-06 to 1000000.")]
    [DataRow("lora_alpha", "1e999", "'lora_alpha' is 1e999, expected a number")]
    [DataRow("lora_alpha", "1e300", "'lora_alpha' is 1e300, expected from 1E-06 to 1000000.")]
    [DataRow("lora_alpha", "null", "'lora_alpha' is missing")]
    [DataRow("lora_dropout", "1", "'lora_dropout' is 1, expected from 0 to below 1.")]
    [DataRow("target_modules", "[\"no_such_layer\"]", "'no_such_layer' names no linear layer of the model")]
    [DataRow("target_modules", "[\"\"]", "TargetModules[0] is ''; allowed is a name that is not empty.")]
    [DataRow("target_modules", "many", "'target_modules' has 20000 names, expected at most 10000.")]
    public void A_peft_configuration_that_cannot_be_is_refused_by_file_and_key(string key, string value, string expected)
    {
        using TemporaryFolder folder = new();
        using CausalLanguageModel saved = Adapted.Model("Llama"), model = Adapted.Model("Llama");
        HuggingFaceAdapters.Save(HuggingFaceAdapters.Attach(saved, new LoraOptions { Rank = 2, TargetModules = ["q_proj"] }, 1), folder.Path);
        string json = value == "many" ? $"[{string.Join(',', Enumerable.Range(0, 20_000).Select(i => $"\"{i}\""))}]" : value;
        var root = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(folder["adapter_config.json"]))!;
        root[key] = System.Text.Json.Nodes.JsonNode.Parse(json);
        folder.Write("adapter_config.json", root.ToJsonString());

        InvalidDataException error = Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceAdapters.Load(model, folder.Path));

        StringAssert.Contains(error.Message, folder.Path);
        StringAssert.Contains(error.Message, expected);
        Assert.IsLessThan(800, error.Message.Length);
    }
}
