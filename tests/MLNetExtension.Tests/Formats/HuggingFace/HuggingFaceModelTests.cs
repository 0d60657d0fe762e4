using System.Text.Json;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;
using MLNetExtension.Tests.Models;
using MLNetExtension.Tests.Models.Llama;
using MLNetExtension.Tests.Samples;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Formats.HuggingFace;

[TestClass]
internal sealed class HuggingFaceModelTests
{
    public static IEnumerable<object[]> Names => GoldenLogitsTests.Names;

    // As Hugging Face's GPT2Config has it.
    [TestMethod]
    public void A_GPT2_that_says_nothing_of_dropout_has_a_tenth()
    {
        using CheckpointCopy copy = new("gpt2");
        foreach (string key in new[] { "resid_pdrop", "embd_pdrop", "attn_pdrop" })
            copy.Set(key, json: null);
        using HuggingFaceModel loaded = HuggingFaceModel.Load(copy.Path);
        Gpt2Configuration configuration = ((Gpt2Model)loaded.Model).Configuration;
        Assert.AreEqual((0.1, 0.1), (configuration.Dropout, configuration.AttentionDropout));
    }

    // Seen to fail with a transposed matrix written as it lies in memory, and with the new files never put in place.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Import_export_import_gives_equal_bytes_for_every_tensor(string name)
    {
        using var scope = NewDisposeScope();
        using CheckpointCopy copy = new(name);
        using TemporaryFolder folder = new();
        Dictionary<string, Tensor> stored = CheckpointCopy.Tensors(copy.Path);
        ScalarType dtype = stored.Values.First().dtype;
        using HuggingFaceModel first = HuggingFaceModel.Load(copy.Path, dtype);

        first.Save(folder.Path);

        using HuggingFaceModel second = HuggingFaceModel.Load(folder.Path, dtype);
        foreach (((string parameter, Parameter value), (_, Parameter again)) in first.Model.named_parameters().Zip(second.Model.named_parameters()))
            CollectionAssert.AreEqual(value.bytes.ToArray(), again.bytes.ToArray(), parameter);
        CollectionAssert.AreEqual(first.EndOfTextIds.ToArray(), second.EndOfTextIds.ToArray());
        Assert.AreEqual(first.BeginOfTextId, second.BeginOfTextId);

        Dictionary<string, Tensor> written = CheckpointCopy.Tensors(folder.Path);
        foreach ((string tensor, Tensor value) in written)
        {
            Tensor original = stored[stored.ContainsKey(tensor) ? tensor : tensor["transformer.".Length..]];
            CollectionAssert.AreEqual(original.shape, value.shape, tensor);
            CollectionAssert.AreEqual(original.bytes.ToArray(), value.bytes.ToArray(), tensor);
        }
        Assert.AreEqual(stored.Keys.Count(key => !key.EndsWith(".attn.bias", StringComparison.Ordinal)), written.Count);
    }

    [TestMethod]
    public void A_large_model_is_written_as_several_files_and_read_again()
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        using HuggingFaceModel model = new(TinyLlama.Make(TinyLlama.Configuration with { ModelType = "qwen3", QueryKeyValueBias = false, UnrotatedLayers = [] }), endOfTextId: 5);
        model.Save(folder.Path, maximumFileBytes: 8_000);
        Assert.IsGreaterThan(2, Directory.GetFiles(folder.Path, "model-*.safetensors").Length);
        AssertEqual(model, folder.Path);

        // A later save in one file leaves nothing of the former.
        model.Save(folder.Path);
        CollectionAssert.AreEquivalent(
            new[] { "config.json", "generation_config.json", "model.safetensors" }, Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName).ToArray());
        AssertEqual(model, folder.Path);
    }

    public static IEnumerable<object[]> Made =>
    [
        ["gpt2", (Func<CausalLanguageModel>)(() => Ragged.Model())],
        ["gpt2 untied", (Func<CausalLanguageModel>)(() => new Gpt2Model(new Gpt2Configuration(11, 8, 1, 2, 8, FeedForwardWidth: 12, Activation: Activation.GeluTanh, NormEpsilon: 1e-3, TiedHead: false), 1))],
        Family("llama", c => c with { AttentionOutputBias = true, FeedForwardBias = true, QueryKeyValueBias = true, RotaryScaling = new RotaryScaling.Llama3(8, 1, 4, 16) }),
        Family("llama", c => c with { RotaryScaling = new RotaryScaling.Dynamic(2), Activation = Activation.GeluTanh }),
        Family("mistral", c => c with { SlidingWindow = 6 }),
        Family("mistral", c => c with { RotaryScaling = new RotaryScaling.Linear(3) }),
        Family("qwen2", c => c with { QueryKeyValueBias = true, SlidingWindow = 4, SlidingLayers = [2], TiedHead = true }),
        Family("qwen3", c => c with { QueryKeyNorm = true, RotaryScaling = new RotaryScaling.Yarn(4, 16, AttentionFactor: 1.1, WholeIndices: false) }),
        Family("smollm3", c => c with { UnrotatedLayers = [0, 2] }),
        Family("mixtral", c => c with { Experts = 4, ExpertsPerToken = 3 }),
        Family("llama", c => c with { RotaryScaling = new RotaryScaling.LongRope([1, 2, 3], [4, 5, 6], 12, 2, AttentionFactor: 1.1) }),
        Family("llama", c => c with { RotaryScaling = new RotaryScaling.LongRope([1, 2, 3], [4, 5, 6], 24, 3) }),
        .. TinyLlama.Types.Select(type => Family(type, _ => TinyLlama.OfType(type))),
    ];

    [TestMethod]
    [DynamicData(nameof(Made))]
    public void A_model_made_here_is_written_and_read_again(string name, Func<CausalLanguageModel> make)
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        using HuggingFaceModel model = new(make());
        model.Model.eval();
        model.Save(folder.Path);
        AssertEqual(model, folder.Path);
        Assert.Contains($"\"model_type\": \"{name.Split(' ')[0]}\"", File.ReadAllText(Path.Combine(folder.Path, "config.json")));
    }

    // What is written in other words: a list of layers in place of a pattern of them; rotary numbers that have a later and an earlier form.
    [TestMethod]
    [DynamicData(nameof(NamesOfNewTypes))]
    public void Keys_are_written_with_the_values_that_were_read(string name)
    {
        string[] inOtherWords = ["sliding_window_pattern", "decoder_sparse_step", "mlp_only_layers", "rope_parameters", "max_window_layers", "use_sliding_window", "sliding_window", "use_bidirectional_attention"];
        using CheckpointCopy copy = new(name);
        using TemporaryFolder folder = new();
        using (HuggingFaceModel model = HuggingFaceModel.Load(copy.Path))
            model.Save(folder.Path);
        using JsonDocument read = JsonDocument.Parse(File.ReadAllText(copy["config.json"])), written = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.Path, "config.json")));
        foreach (JsonProperty property in read.RootElement.EnumerateObject().Where(property => !inOtherWords.Contains(property.Name) && property.Value.ValueKind != JsonValueKind.Null))
        {
            string type = read.RootElement.GetProperty("model_type").GetString()!;
            if (LlamaFamily.All[type].OnlyValue.ContainsKey(property.Name))
                continue;
            Assert.IsTrue(written.RootElement.TryGetProperty(property.Name, out JsonElement value), property.Name);
            string expected = property.Value.GetRawText().Replace("\"su\"", "\"longrope\"", StringComparison.Ordinal);
            if (property.Name == "rope_scaling" && type != "phi3")
                Assert.AreEqual(property.Value.GetProperty("factor").GetDouble(), value.GetProperty("factor").GetDouble());
            else
                Assert.IsTrue(JsonElement.DeepEquals(JsonElement.Parse(expected), value), $"{property.Name}: {value} for {property.Value}");
        }
    }

    public static IEnumerable<object[]> NamesOfNewTypes => Names.Where(name => TinyLlama.Types.Any(type => ((string)name[0]).StartsWith(type.Split('_')[0], StringComparison.Ordinal) && (string)name[0] is not ("qwen3" or "qwen3-yarn")));

    // Some readers look for 'type', others for 'rope_type', and Python takes a number without a point for an integer: "`rope_scaling`'s factor field must be a float > 1, got 4".
    [TestMethod]
    public void Rotary_scaling_is_written_for_older_and_newer_readers()
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        foreach ((RotaryScaling scaling, string type) in new (RotaryScaling, string)[]
        {
            (new RotaryScaling.Linear(4), "linear"), (new RotaryScaling.Dynamic(2), "dynamic"), (new RotaryScaling.Llama3(8, 1, 4, 16), "llama3"), (new RotaryScaling.Yarn(4, 16), "yarn"),
        })
        {
            using HuggingFaceModel model = new(TinyLlama.Make(Plain("llama") with { RotaryScaling = scaling }));
            model.Save(folder.Path);
            using JsonDocument written = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.Path, "config.json")));
            JsonElement json = written.RootElement.GetProperty("rope_scaling");
            Assert.AreEqual((type, type), (json.GetProperty("type").GetString(), json.GetProperty("rope_type").GetString()));
            foreach (JsonProperty number in json.EnumerateObject().Where(property => property.Name is "factor" or "low_freq_factor" or "high_freq_factor" or "beta_fast" or "beta_slow"))
                Assert.Contains(".0", number.Value.GetRawText(), number.Name);
            AssertEqual(model, folder.Path);
        }
    }

    public static IEnumerable<object[]> Unspeakable =>
    [
        Family("llama", c => c with { QueryKeyNorm = true }),
        Family("llama", c => c with { SlidingWindow = 4 }),
        Family("mistral", c => c with { QueryKeyValueBias = true }),
        Family("mistral", c => c with { SlidingWindow = 4, SlidingLayers = [1] }),
        Family("qwen3", c => c with { UnrotatedLayers = [1], QueryKeyNorm = true }),
        Family("bert", c => c),
        Family("llama", c => c with { Norms = NormPlacement.After }),
        Family("llama", c => c with { RotaryWidth = 4 }),
        Family("mistral", c => c with { LogitCap = 5 }),
        Family("mixtral", c => c with { Experts = 4, ExpertWeightsSumToOne = false }),
        Family("mixtral", c => c with { Experts = 4, DenseLayers = [1] }),
        Family("qwen3_moe", c => c with { QueryKeyNorm = true, Experts = 4, SlidingWindow = 4 }),
        Family("phi3", _ => TinyLlama.OfType("phi3") with { RotaryScaling = new RotaryScaling.LongRope([1, 2], [3, 4], 8, Factor: 2) }),
        Family("gemma3_text", _ => TinyLlama.OfType("gemma3_text") with { ScoreCap = 5 }),
        ["gpt2", (Func<CausalLanguageModel>)(() => Ragged.Model(experts: 2))],
    ];

    [TestMethod]
    [DynamicData(nameof(Unspeakable))]
    public void A_model_that_the_files_cannot_describe_is_not_written(string name, Func<CausalLanguageModel> make)
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        using HuggingFaceModel model = new(make());
        Assert.ThrowsExactly<NotSupportedException>(() => model.Save(folder.Path), name);
        Assert.IsEmpty(Directory.GetFileSystemEntries(folder.Path));
    }

    [TestMethod]
    public void Files_are_carried_along_and_a_save_that_fails_leaves_what_was_there()
    {
        using var scope = NewDisposeScope();
        using CheckpointCopy copy = new("llama");
        using TemporaryFolder folder = new();
        File.WriteAllText(copy["tokenizer.json"], "{}");
        using HuggingFaceModel model = HuggingFaceModel.Load(copy.Path);
        model.Save(folder.Path, [copy["tokenizer.json"]]);
        Assert.AreEqual("{}", File.ReadAllText(Path.Combine(folder.Path, "tokenizer.json")));
        string[] before = [.. Directory.GetFileSystemEntries(folder.Path).Order()];
        byte[] weights = File.ReadAllBytes(Path.Combine(folder.Path, "model.safetensors"));

        using (no_grad())
            model.Model.HeadWeight!.fill_(0);
        Assert.ThrowsExactly<FileNotFoundException>(() => model.Save(folder.Path, [copy["nothing.json"]]));

        CollectionAssert.AreEqual(before, Directory.GetFileSystemEntries(folder.Path).Order().ToArray());
        CollectionAssert.AreEqual(weights, File.ReadAllBytes(Path.Combine(folder.Path, "model.safetensors")));
    }

    [TestMethod]
    public void What_changes_nothing_is_kept_and_what_has_another_name_is_read()
    {
        using CheckpointCopy copy = new("llama");
        using TemporaryFolder folder = new();
        copy.Set("_name_or_path", "\"somewhere\"");
        copy.Set("pad_token_id", "7");
        using HuggingFaceModel model = HuggingFaceModel.Load(copy.Path);
        CollectionAssert.AreEqual(new[] { 2, 3 }, model.EndOfTextIds.ToArray());
        Assert.AreEqual(1, model.BeginOfTextId);

        model.Save(folder.Path);

        string written = File.ReadAllText(Path.Combine(folder.Path, "config.json"));
        foreach (string what in new[] { "\"_name_or_path\": \"somewhere\"", "\"pad_token_id\": 7", "\"torch_dtype\": \"float32\"", "\"LlamaForCausalLM\"" })
            Assert.Contains(what, written);
    }

    [TestMethod]
    public void A_tied_head_may_be_stored_twice_where_both_are_equal()
    {
        using var scope = NewDisposeScope();
        using CheckpointCopy copy = new("llama-linear");
        Dictionary<string, Tensor> tensors = CheckpointCopy.Tensors(copy.Path);
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"];
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = ones(2);
        copy.Write(tensors);
        using HuggingFaceModel model = HuggingFaceModel.Load(copy.Path);
        Assert.AreEqual(0, model.Model.named_parameters().Count(pair => pair.name == "lm_head"));
    }

    [TestMethod]
    public void A_loaded_model_outlives_the_scope_it_was_loaded_in()
    {
        HuggingFaceModel model;
        using (NewDisposeScope())
            model = HuggingFaceModel.Load(Path.Combine(Repository.SourceTree.Root, "tests/MLNetExtension.Tests/Models/Golden/qwen3"));
        using var scope = NewDisposeScope();
        Assert.IsFalse(model.Model.training);
        Assert.AreEqual(4, model.Model.call(zeros(1, 4, dtype: int64)).shape[1]);
        model.Dispose();
    }

    private static object[] Family(string type, Func<LlamaConfiguration, LlamaConfiguration> change) =>
    [
        type,
        () => (CausalLanguageModel)TinyLlama.Make(change(Plain(type))),
    ];

    private static LlamaConfiguration Plain(string type) => TinyLlama.Configuration with
    {
        ModelType = type,
        QueryKeyNorm = false,
        QueryKeyValueBias = false,
        UnrotatedLayers = [],
        SlidingWindow = null,
        SlidingLayers = null,
    };

    internal static void AssertEqual(HuggingFaceModel model, string folder)
    {
        using HuggingFaceModel read = HuggingFaceModel.Load(folder, model.Model.HeadWeight!.dtype);
        Tensor ids = arange(8, dtype: int64).view(1, 8);
        Assert.AreEqual(0, (read.Model.call(ids) - model.Model.call(ids)).abs().max().ToDouble());
    }
}
