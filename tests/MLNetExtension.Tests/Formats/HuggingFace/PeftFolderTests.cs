using System.Text.Json.Nodes;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;
using MLNetExtension.Safetensors;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Tests.Samples;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Formats.HuggingFace;

[TestClass]
public sealed class PeftFolderTests
{
    private const string ConfigurationName = "adapter_config.json", WeightsName = "adapter_model.safetensors";

    // What PEFT 0.17 writes.
    private const string Written = """
        {
          "alpha_pattern": {}, "auto_mapping": null, "base_model_name_or_path": "base", "bias": "none", "corda_config": null, "eva_config": null, "exclude_modules": null, "fan_in_fan_out": false,
          "inference_mode": true, "init_lora_weights": true, "layer_replication": null, "layers_pattern": null, "layers_to_transform": null, "loftq_config": {}, "lora_alpha": 16, "lora_bias": false,
          "lora_dropout": 0.05, "megatron_config": null, "megatron_core": "megatron.core", "modules_to_save": null, "peft_type": "LORA", "qalora_group_size": 16, "r": 2, "rank_pattern": {},
          "revision": null, "target_modules": ["v_proj", "q_proj"], "target_parameters": null, "task_type": "CAUSAL_LM", "trainable_token_indices": null, "use_dora": false, "use_qalora": false,
          "use_rslora": true
        }
        """;

    [TestMethod]
    [DataRow("GPT-2", "*")]
    [DataRow("Llama", "q_proj,v_proj,down_proj")]
    [DataRow("Mixtral", "*")]
    public void Saved_adapters_load_again_to_equal_bytes(string kind, string targets)
    {
        using var folder = new TemporaryFolder();
        using CausalLanguageModel model = Adapted.Model(kind), other = Adapted.Model(kind);
        LoraOptions options = new() { Rank = 2, Alpha = 3.5, Dropout = 0.1, RankStabilized = true, TargetModules = targets.Split(',') };
        LoraAdapters adapters = Adapted.Attach(model, options);
        HuggingFaceAdapters.Save(adapters, folder.Path, "base");

        LoraAdapters loaded = HuggingFaceAdapters.Load(other, folder.Path);

        Adapted.AssertEqual(Adapted.Trained(model), Adapted.Trained(other));
        CollectionAssert.AreEqual(adapters.ModuleNames.ToArray(), loaded.ModuleNames.ToArray());
        Assert.AreEqual(options with { TargetModules = loaded.Options.TargetModules }, loaded.Options);
        using var scope = NewDisposeScope();
        Tensor ids = Ragged.Pad(Ragged.Examples(3)).Ids;
        model.eval();
        other.eval();
        Assert.AreEqual(0, (model.call(ids) - other.call(ids)).abs().max().ToDouble());
    }

    [TestMethod]
    public void Names_and_shapes_are_those_of_PEFT()
    {
        using var folder = new TemporaryFolder();
        using CausalLanguageModel gpt2 = Adapted.Model("GPT-2"), llama = Adapted.Model("Llama");
        HuggingFaceAdapters.Save(HuggingFaceAdapters.Attach(gpt2, new LoraOptions { Rank = 2, TargetModules = ["h.0.attn.c_attn"] }, 1), folder.Path);
        AssertHeld(folder.Path, "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight F64 [2, 12]", "base_model.model.transformer.h.0.attn.c_attn.lora_B.weight F64 [36, 2]");
        Assert.IsTrue(Configuration(folder.Path)["fan_in_fan_out"]!.GetValue<bool>());

        HuggingFaceAdapters.Save(HuggingFaceAdapters.Attach(llama, new LoraOptions { Rank = 2, TargetModules = ["1.self_attn.k_proj", "layers.2.*.up_proj"] }, 1), folder.Path);
        AssertHeld(folder.Path,
            "base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight F64 [2, 12]", "base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight F64 [12, 2]",
            "base_model.model.model.layers.2.mlp.up_proj.lora_A.weight F64 [2, 12]", "base_model.model.model.layers.2.mlp.up_proj.lora_B.weight F64 [20, 2]");
        JsonObject written = Configuration(folder.Path);
        Assert.AreEqual("""["model.layers.1.self_attn.k_proj","model.layers.2.mlp.up_proj"]""", written["target_modules"]!.ToJsonString());
        Assert.IsFalse(written["fan_in_fan_out"]!.GetValue<bool>());

        static void AssertHeld(string folder, params string[] expected) => CollectionAssert.AreEqual(
            expected, SafetensorsFile.Open(Path.Combine(folder, WeightsName)).Entries.Select(entry => $"{entry.Name} {entry.Description}").ToArray());
    }

    [TestMethod]
    public void A_configuration_as_PEFT_writes_it_is_read()
    {
        using var folder = new TemporaryFolder();
        Save(folder.Path);
        File.WriteAllText(Path.Combine(folder.Path, ConfigurationName), Written);
        using CausalLanguageModel model = Adapted.Model("Llama");

        LoraOptions options = HuggingFaceAdapters.Load(model, folder.Path).Options;

        Assert.AreEqual(new LoraOptions { Rank = 2, Alpha = 16, Dropout = 0.05, RankStabilized = true, TargetModules = options.TargetModules }, options);
        CollectionAssert.AreEqual(new[] { "v_proj", "q_proj" }, options.TargetModules.ToArray());
    }

    [TestMethod]
    [DataRow("\"all-linear\"", "lacks the tensor 'base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight', [2, 12]")]
    [DataRow("\".*(q|v)_proj\"", null)]
    [DataRow("[\"q_proj\"]", "holds the tensor 'base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight', which is of no adapter that adapter_config.json names")]
    [DataRow("[\"lm_head\"]", "'lm_head' names no linear layer")]
    [DataRow("7", "'target_modules' is 7, expected a string or an array of strings")]
    public void Target_modules_go_with_the_tensors(string targets, string? error)
    {
        using var folder = new TemporaryFolder();
        Save(folder.Path);
        Change(folder.Path, "target_modules", targets);
        using CausalLanguageModel model = Adapted.Model("Llama");
        if (error is null)
            Assert.HasCount(6, HuggingFaceAdapters.Load(model, folder.Path).ModuleNames);
        else
            StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceAdapters.Load(model, folder.Path)).Message, error);
    }

    // Seen to fail with unread keys ignored.
    [TestMethod]
    [DataRow("use_dora", "true", "'use_dora' is true, which is not supported; expected false.")]
    [DataRow("bias", "\"all\"", "'bias' is \"all\", which is not supported; expected \"none\".")]
    [DataRow("peft_type", "\"IA3\"", "'peft_type' is \"IA3\"")]
    [DataRow("rank_pattern", "{\"q_proj\": 4}", "'rank_pattern' is {\"q_proj\":4}")]
    [DataRow("modules_to_save", "[\"lm_head\"]", "'modules_to_save' is [\"lm_head\"]")]
    [DataRow("layers_to_transform", "[0]", "'layers_to_transform' is [0]")]
    [DataRow("init_lora_weights", "\"pissa\"", "'init_lora_weights' is \"pissa\", which is not supported; expected true, false, \"gaussian\".")]
    [DataRow("use_new_method", "true", "'use_new_method' is not known, and may change what the model computes")]
    public void A_key_that_changes_the_computation_is_refused_by_name(string key, string value, string message)
    {
        using var folder = new TemporaryFolder();
        Save(folder.Path);
        Change(folder.Path, key, value);
        using CausalLanguageModel model = Adapted.Model("Llama");

        NotSupportedException error = Assert.ThrowsExactly<NotSupportedException>(() => HuggingFaceAdapters.Load(model, folder.Path));

        StringAssert.Contains(error.Message, message);
        Assert.IsTrue(model.parameters().All(parameter => parameter.requires_grad), "a refusal changes nothing");
    }

    [TestMethod]
    public void Files_that_do_not_go_with_the_model_are_refused()
    {
        using var folder = new TemporaryFolder();
        using CausalLanguageModel llama = Adapted.Model("Llama"), gpt2 = Adapted.Model("GPT-2");
        StringAssert.Contains(Assert.ThrowsExactly<FileNotFoundException>(() => HuggingFaceAdapters.Load(llama, folder.Path)).Message, ConfigurationName);
        Save(folder.Path);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceAdapters.Load(gpt2, folder.Path)).Message, "'q_proj' names no linear layer");
        Change(folder.Path, "r", "3");
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceAdapters.Load(llama, folder.Path)).Message, "q_proj.lora_A.weight' is F64 [2, 12], expected [3, 12]");
        File.Move(Path.Combine(folder.Path, WeightsName), Path.Combine(folder.Path, "adapter_model.bin"));
        string message = Assert.ThrowsExactly<NotSupportedException>(() => HuggingFaceAdapters.Load(llama, folder.Path)).Message;
        StringAssert.Contains(message, "adapter_model.bin is a pickle file");
        StringAssert.Contains(message, "Expected adapter_model.safetensors");
    }

    [TestMethod]
    public void A_models_own_weights_are_saved_without_adapters_and_with_them_once_merged()
    {
        using TemporaryFolder before = new(), after = new();
        using var scope = NewDisposeScope();
        using HuggingFaceModel model = new(Adapted.Model("GPT-2"));
        model.Model.eval();
        Tensor ids = Ragged.Pad(Ragged.Examples(3)).Ids, plain = model.Model.call(ids).detach();
        LoraAdapters adapters = Adapted.Attach(model.Model, new LoraOptions());
        Tensor adapted = model.Model.call(ids).detach();
        model.Save(before.Path);
        adapters.Merge();
        model.Save(after.Path);

        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(adapted, plain));
        Assert.AreEqual(0, (Loaded(before.Path) - plain).abs().max().ToDouble());
        Assert.IsLessThan(1e-12, Ragged.RelativeError(Loaded(after.Path), adapted));

        Tensor Loaded(string folder)
        {
            using HuggingFaceModel loaded = HuggingFaceModel.Load(folder, ScalarType.Float64);
            return loaded.Model.call(ids).detach();
        }
    }

    private static void Save(string folder)
    {
        using CausalLanguageModel model = Adapted.Model("Llama");
        HuggingFaceAdapters.Save(HuggingFaceAdapters.Attach(model, new LoraOptions { Rank = 2, TargetModules = ["q_proj", "v_proj"] }, 1), folder);
    }

    private static JsonObject Configuration(string folder) => (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(folder, ConfigurationName)))!;

    private static void Change(string folder, string key, string value)
    {
        JsonObject json = Configuration(folder);
        json[key] = JsonNode.Parse(value);
        File.WriteAllText(Path.Combine(folder, ConfigurationName), json.ToJsonString());
    }
}
