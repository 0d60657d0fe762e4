using System.Text.Json.Nodes;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;
using MLNetExtension.Safetensors;
using MLNetExtension.Tests.Models;
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
    [DataRow("GPT-2 with DoRA, whole modules", "all-linear")]
    [DataRow("Llama with DoRA, whole modules", "q_proj,up_proj")]
    [DataRow("Mixtral with DoRA", "*")]
    public void Saved_adapters_load_again_to_equal_bytes(string kind, string targets)
    {
        using var folder = new TemporaryFolder();
        using CausalLanguageModel model = Adapted.Model(kind), other = Adapted.Model(kind);
        LoraOptions options = Adapted.Options(kind) with { Rank = 2, Alpha = 3.5, Dropout = 0.1, RankStabilized = true, TargetModules = targets.Split(',') };
        LoraAdapters adapters = Adapted.Attach(model, options);
        HuggingFaceAdapters.Save(adapters, folder.Path, "base");

        LoraAdapters loaded = HuggingFaceAdapters.Load(other, folder.Path);

        Adapted.AssertEqual(Adapted.Trained(model), Adapted.Trained(other));
        CollectionAssert.AreEqual(adapters.ModuleNames.ToArray(), loaded.ModuleNames.ToArray());
        CollectionAssert.AreEqual(adapters.TrainedModules.Select(module => module.Name).ToArray(), loaded.Options.TrainedModules.ToArray());
        Assert.AreEqual(options with { TargetModules = loaded.Options.TargetModules, TrainedModules = loaded.Options.TrainedModules }, loaded.Options);
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
        using var scope = NewDisposeScope();
        HuggingFaceAdapters.Save(HuggingFaceAdapters.Attach(Adapted.Model("GPT-2"), new LoraOptions { Rank = 2, TargetModules = ["h.0.attn.c_attn"] }, 1), folder.Path);
        AssertHeld(folder.Path, "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight F64 [2, 12]", "base_model.model.transformer.h.0.attn.c_attn.lora_B.weight F64 [36, 2]");
        Assert.IsTrue(Configuration(folder.Path)["fan_in_fan_out"]!.GetValue<bool>());

        HuggingFaceAdapters.Save(HuggingFaceAdapters.Attach(Adapted.Model("Llama"), new LoraOptions { Rank = 2, TargetModules = ["1.self_attn.k_proj", "layers.2.*.up_proj"] }, 1), folder.Path);
        AssertHeld(folder.Path,
            "base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight F64 [2, 12]", "base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight F64 [12, 2]",
            "base_model.model.model.layers.2.mlp.up_proj.lora_A.weight F64 [2, 12]", "base_model.model.model.layers.2.mlp.up_proj.lora_B.weight F64 [20, 2]");
        JsonObject written = Configuration(folder.Path);
        Assert.AreEqual("""["model.layers.1.self_attn.k_proj","model.layers.2.mlp.up_proj"]""", written["target_modules"]!.ToJsonString());
        Assert.IsFalse(written["fan_in_fan_out"]!.GetValue<bool>());

        HuggingFaceAdapters.Save(
            HuggingFaceAdapters.Attach(Adapted.Model("Llama"), new LoraOptions { Rank = 2, UseDora = true, TargetModules = ["1.self_attn.k_proj"], TrainedModules = ["lm_head", "model.norm"] }, 1), folder.Path);
        AssertHeld(folder.Path,
            "base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight F64 [2, 12]", "base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight F64 [12, 2]",
            "base_model.model.model.layers.1.self_attn.k_proj.lora_magnitude_vector F64 [12]", "base_model.model.model.norm.weight F64 [12]", "base_model.model.lm_head.weight F64 [23, 12]");
        written = Configuration(folder.Path);
        Assert.AreEqual("""[true,["model.norm","lm_head"],null,true]""", Keys("use_dora", "modules_to_save", "ensure_weight_tying", "init_lora_weights"));

        // Tied: PEFT looks for every module that it trains, and older versions of it do not know that they are tied.
        HuggingFaceAdapters.Save(
            HuggingFaceAdapters.Attach(Adapted.Model("GPT-2"), new LoraOptions { Rank = 2, TargetModules = ["h.0.attn.c_attn"], TrainedModules = ["lm_head"], Initialization = LoraInitialization.Gaussian }, 1), folder.Path);
        AssertHeld(folder.Path, "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight F64 [2, 12]", "base_model.model.transformer.h.0.attn.c_attn.lora_B.weight F64 [36, 2]",
            "base_model.model.transformer.wte.weight F64 [23, 12]", "base_model.model.lm_head.weight F64 [23, 12]");
        written = Configuration(folder.Path);
        Assert.AreEqual("""[null,["transformer.wte","lm_head"],true,"gaussian"]""", Keys("use_dora", "modules_to_save", "ensure_weight_tying", "init_lora_weights"));

        // PiSSA: relative to the model's own weights, of twice the rank and with the same scale.
        foreach ((bool rankStabilized, double alpha) in new[] { (false, 14.0), (true, 7 * Math.Sqrt(2)) })
        {
            LoraOptions options = new() { Rank = 2, Alpha = 7, RankStabilized = rankStabilized, Initialization = LoraInitialization.Pissa, TargetModules = ["1.self_attn.k_proj"] };
            HuggingFaceAdapters.Save(HuggingFaceAdapters.Attach(Adapted.Model("Llama"), options, 1), folder.Path);
            AssertHeld(folder.Path, "base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight F64 [4, 12]", "base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight F64 [12, 4]");
            written = Configuration(folder.Path);
            Assert.AreEqual("[4,true]", Keys("r", "init_lora_weights"));
            Assert.AreEqual(alpha, written["lora_alpha"]!.GetValue<double>(), 1e-15);
        }

        string Keys(params string[] keys) => new JsonArray([.. keys.Select(key => written[key]?.DeepClone())]).ToJsonString();

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

        Assert.AreEqual(new LoraOptions { Rank = 2, Alpha = 16, Dropout = 0.05, RankStabilized = true, TargetModules = options.TargetModules, TrainedModules = [] }, options with { TrainedModules = [] });
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
    [DataRow("bias", "\"all\"", "'bias' is \"all\", which is not supported; expected \"none\".")]
    [DataRow("peft_type", "\"IA3\"", "'peft_type' is \"IA3\"")]
    [DataRow("rank_pattern", "{\"q_proj\": 4}", "'rank_pattern' is {\"q_proj\":4}")]
    [DataRow("layers_to_transform", "[0]", "'layers_to_transform' is [0]")]
    [DataRow("init_lora_weights", "\"olora\"", "'init_lora_weights' is \"olora\", which is not supported; expected true, false, \"gaussian\", \"orthogonal\", \"pissa\".")]
    [DataRow("init_lora_weights", "\"pissa_niter_4\"", "'init_lora_weights' is \"pissa_niter_4\", which is not supported")]
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
    [DataRow("use_dora", "true", "lacks the tensor 'base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector', [24]")]
    [DataRow("use_dora", "1", "'use_dora' is 1, expected true or false")]
    [DataRow("modules_to_save", "[\"lm_head\"]", "lacks the tensor 'base_model.model.lm_head.weight', [23, 12]")]
    [DataRow("modules_to_save", "[\"score\"]", "TrainedModules: '*score' names no module of the model that can be trained whole")]
    [DataRow("modules_to_save", "[\"\"]", "TrainedModules[0] is ''; allowed is a name that is not empty")]
    [DataRow("modules_to_save", "{}", "'modules_to_save' is {}, expected a string or an array of strings")]
    [DataRow("ensure_weight_tying", "\"yes\"", "'ensure_weight_tying' is \"yes\", expected true or false")]
    public void A_configuration_that_the_weights_do_not_go_with_is_refused(string key, string value, string message)
    {
        using var folder = new TemporaryFolder();
        Save(folder.Path);
        Change(folder.Path, key, value);
        using CausalLanguageModel model = Adapted.Model("Llama");
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceAdapters.Load(model, folder.Path)).Message, message);
        Assert.IsTrue(model.parameters().All(parameter => parameter.requires_grad), "a refusal changes nothing");
    }

    // PEFT trains a copy of one of two tied modules, so that they are tied no longer, unless it is told otherwise.
    [TestMethod]
    public void Tied_modules_are_read_where_they_stay_tied()
    {
        using TemporaryFolder folder = new();
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Adapted.Model("GPT-2");
        HuggingFaceAdapters.Save(Adapted.Attach(model, new LoraOptions { Rank = 2, TrainedModules = ["wte"] }), folder.Path);
        Dictionary<string, Tensor> whole = GoldenLogitsTests.ReadFile(Path.Combine(folder.Path, WeightsName));
        byte[] file = File.ReadAllBytes(Path.Combine(folder.Path, WeightsName));

        Rewrite(whole.Where(pair => !pair.Key.Contains("lm_head")));
        Assert.AreEqual(0, (Loaded().TokenEmbedding - model.TokenEmbedding).abs().max().ToDouble(), "one of them, said to be tied");
        Change(folder.Path, "ensure_weight_tying", "false");
        StringAssert.Contains(Refused().Message, "lacks the tensor 'base_model.model.lm_head.weight', which the model ties to another that has been trained");
        File.WriteAllBytes(Path.Combine(folder.Path, WeightsName), file);
        Assert.AreEqual(0, (Loaded().TokenEmbedding - model.TokenEmbedding).abs().max().ToDouble(), "both, and equal");
        Rewrite(whole.Select(pair => KeyValuePair.Create(pair.Key, pair.Key.Contains("lm_head") ? pair.Value + 1 : pair.Value)));
        StringAssert.Contains(Refused().Message, "transformer.wte.weight and lm_head.weight differ, but the model ties them");

        void Rewrite(IEnumerable<KeyValuePair<string, Tensor>> tensors)
        {
            using FileStream stream = File.Create(Path.Combine(folder.Path, WeightsName));
            SafetensorsWriter.Write([.. tensors.Select(pair => (pair.Key, pair.Value))], stream);
        }

        CausalLanguageModel Loaded()
        {
            CausalLanguageModel loaded = Adapted.Model("GPT-2");
            HuggingFaceAdapters.Load(loaded, folder.Path);
            return loaded;
        }

        NotSupportedException Refused()
        {
            using CausalLanguageModel other = Adapted.Model("GPT-2");
            Dictionary<string, byte[]> before = Adapted.Trained(other);
            NotSupportedException error = Assert.ThrowsExactly<NotSupportedException>(() => HuggingFaceAdapters.Load(other, folder.Path));
            Adapted.AssertEqual(before, Adapted.Trained(other));
            return error;
        }
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
