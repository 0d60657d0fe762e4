using MLNetExtension.Formats;
using MLNetExtension.Formats.Gguf;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization.Bytes;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Formats.Gguf;

/// <summary>What a GGUF file holds. What llama.cpp makes of it is in <c>tests/MLNetExtension.InteropTests</c>.</summary>
[TestClass]
public sealed class GgufModelTests
{
    private const int Vocabulary = 257;

    internal static readonly LlamaConfiguration Llama = new() { VocabularySize = Vocabulary, ContextLength = 24, Layers = 2, Width = 64, FeedForwardWidth = 40, Heads = 4, KeyValueHeads = 2 };

    [TestMethod]
    public void The_rows_of_queries_and_keys_are_in_pairs_and_all_else_is_as_it_was()
    {
        using LlamaModel model = new(Llama with { QueryKeyValueBias = true }, seed: 1);
        using TemporaryFolder folder = new();
        GgufFile file = new(Save(model, folder));
        Dictionary<string, float[]> ours = Parameters(model);
        float[] whole = ours["layers.1.attention.qkv.weight"], biases = ours["layers.1.attention.qkv.bias"];
        (int width, int headWidth) = (64, 16);
        foreach ((string name, int first, int heads) in new[] { ("attn_q", 0, 4), ("attn_k", 64, 2) })
        {
            float[] theirs = file.Floats($"blk.1.{name}.weight"), theirBiases = file.Floats($"blk.1.{name}.bias");
            for (int row = 0; row < heads * headWidth; row++)
            {
                // Row 2 i + s of a head is what was row i + s D / 2.
                int head = row / headWidth, within = row % headWidth, source = first + head * headWidth + within / 2 + within % 2 * (headWidth / 2);
                CollectionAssert.AreEqual(whole[(source * width)..((source + 1) * width)], theirs[(row * width)..((row + 1) * width)], $"{name} {row}");
                Assert.AreEqual(biases[source], theirBiases[row]);
            }
        }
        CollectionAssert.AreEqual(whole[(96 * width)..], file.Floats("blk.1.attn_v.weight"));
        CollectionAssert.AreEqual(ours["layers.1.mlp.gate_up.weight"], (float[])[.. file.Floats("blk.1.ffn_gate.weight"), .. file.Floats("blk.1.ffn_up.weight")]);
        CollectionAssert.AreEqual(ours["lm_head"], file.Floats("output.weight"));
    }

    [TestMethod]
    public void Every_tensor_begins_at_a_multiple_of_32_bytes_behind_the_one_before_it()
    {
        using LlamaModel model = new(Llama, seed: 1);
        using TemporaryFolder folder = new();
        GgufFile file = new(Save(model, folder, GgufType.Q8_0));
        long end = 0;
        foreach ((string name, GgufFile.Entry tensor) in file.Tensors)
        {
            Assert.AreEqual(end, tensor.Offset, name);
            long elements = tensor.Shape.Aggregate((a, b) => a * b), bytes = tensor.Type switch { 0 => 4 * elements, 1 => 2 * elements, _ => elements / 32 * 34 };
            end += (bytes + 31) / 32 * 32;
        }
        Assert.AreEqual(file.DataStart + end, file.Length);
    }

    [TestMethod]
    [DataRow(GgufType.F32, 0u, 0u)]
    [DataRow(GgufType.F16, 1u, 1u)]
    [DataRow(GgufType.BF16, 30u, 32u)]
    [DataRow(GgufType.Q8_0, 8u, 7u)]
    public void Matrices_are_of_the_type_and_vectors_routers_and_positions_in_float32(GgufType type, uint code, uint fileType)
    {
        using LlamaModel mixtral = new(Llama with { ModelType = "mixtral", Experts = 3 }, seed: 1);
        using Gpt2Model gpt2 = new(new(Vocabulary, 24, 1, 4, 64), seed: 1);
        using TemporaryFolder folder = new();
        GgufFile llama = new(Save(mixtral, folder, type)), other = new(Save(gpt2, folder, type));
        Assert.AreEqual(fileType, llama.Keys["general.file_type"]);
        Assert.AreEqual(code, llama.Tensors["blk.0.ffn_gate_exps.weight"].Type);
        CollectionAssert.AreEqual((long[])[3, 40, 64], llama.Tensors["blk.0.ffn_gate_exps.weight"].Shape);
        // 40 is no multiple of 32.
        CollectionAssert.AreEqual((long[])[3, 64, 40], llama.Tensors["blk.0.ffn_down_exps.weight"].Shape);
        Assert.AreEqual(type == GgufType.Q8_0 ? 1u : code, llama.Tensors["blk.0.ffn_down_exps.weight"].Type);
        foreach (string name in (string[])["blk.0.ffn_gate_inp.weight", "blk.0.attn_norm.weight", "output_norm.weight"])
            Assert.AreEqual(0u, llama.Tensors[name].Type, name);
        Assert.AreEqual(code, other.Tensors["token_embd.weight"].Type);
        Assert.AreEqual(0u, other.Tensors["position_embd.weight"].Type);
        Assert.AreEqual(0u, other.Tensors["blk.0.attn_qkv.bias"].Type);
    }

    [TestMethod]
    public void A_tied_head_is_left_out()
    {
        using LlamaModel tied = new(Llama with { TiedHead = true }, seed: 1), untied = new(Llama, seed: 1);
        using TemporaryFolder folder = new();
        Assert.IsFalse(new GgufFile(Save(tied, folder)).Tensors.ContainsKey("output.weight"));
        Assert.IsTrue(new GgufFile(Save(untied, folder)).Tensors.ContainsKey("output.weight"));
    }

    [TestMethod]
    [DataRow("GPT-2")]
    [DataRow("Llama")]
    [DataRow("Mixtral")]
    public void Merged_and_unmerged_adapters_give_the_same_weights(string kind)
    {
        using CausalLanguageModel model = kind switch
        {
            "GPT-2" => new Gpt2Model(new(Vocabulary, 24, 1, 4, 64), seed: 1),
            "Llama" => new LlamaModel(Llama, seed: 1),
            _ => new LlamaModel(Llama with { ModelType = "mixtral", Experts = 3 }, seed: 1),
        };
        using TemporaryFolder folder = new();
        GgufFile plain = new(Save(model, folder));
        LoraAdapters adapters = Adapted.Attach(model, new LoraOptions { Rank = 2 });
        Dictionary<string, float[]> before = Parameters(model);
        GgufFile unmerged = new(Save(model, folder));
        foreach ((string name, float[] values) in Parameters(model))
            CollectionAssert.AreEqual(before[name], values, name);
        adapters.Merge();
        GgufFile merged = new(Save(model, folder));

        int changed = 0;
        foreach (string name in merged.Tensors.Keys)
        {
            CollectionAssert.AreEqual(merged.Floats(name), unmerged.Floats(name), name);
            changed += merged.Floats(name).SequenceEqual(plain.Floats(name)) ? 0 : 1;
        }
        Assert.AreEqual(adapters.ModuleNames.Count, changed + (kind == "Mixtral" ? 2 * 3 * (3 - 1) : 0), "every layer with an adapter, where the experts of a block are one tensor for each of three matrices");
    }

    [TestMethod]
    public void A_name_that_ends_in_gguf_is_a_file_and_any_other_a_folder()
    {
        using TemporaryFolder folder = new();
        using CausalLanguageModelTransformer model = Transformer();
        model.SaveAsGguf(folder["deep/er/tiny.gguf"]);
        model.SaveAsGguf(folder["tiny"], GgufType.Q8_0);
        CollectionAssert.AreEqual((string[])["tiny.gguf"], Names(folder["deep/er"]));
        CollectionAssert.AreEqual((string[])["model.gguf"], Names(folder["tiny"]));
        Directory.CreateDirectory(folder["folder.gguf"]);
        model.SaveAsGguf(folder["folder.gguf"]);
        CollectionAssert.AreEqual((string[])["model.gguf"], Names(folder["folder.gguf"]));
        Assert.AreEqual("gpt2", new GgufFile(folder["tiny/model.gguf"]).Keys["general.architecture"]);
    }

    [TestMethod]
    public void Ids_that_are_no_tokens_are_marked_as_unused()
    {
        using LlamaModel model = new(Llama with { VocabularySize = Vocabulary + 2 }, seed: 1);
        using TemporaryFolder folder = new();
        GgufFile file = new(Save(model, folder));
        object[] tokens = (object[])file.Keys["tokenizer.ggml.tokens"], kinds = (object[])file.Keys["tokenizer.ggml.token_type"];
        CollectionAssert.AreEqual((object[])["<|endoftext|>", "[PAD257]", "[PAD258]"], tokens[256..]);
        CollectionAssert.AreEqual((object[])[3, 5, 5], kinds[256..]);
        Assert.AreEqual(256u, file.Keys["tokenizer.ggml.eos_token_id"]);
    }

    [TestMethod]
    [DataRow(GgufType.F16, 7e4f)]
    [DataRow(GgufType.BF16, 3.4e38f)]
    [DataRow(GgufType.Q8_0, 9e6f)]
    public void A_value_that_is_too_large_is_refused_by_the_name_of_its_tensor_and_the_earlier_file_stays(GgufType type, float value)
    {
        using LlamaModel model = new(Llama, seed: 1);
        using TemporaryFolder folder = new();
        string path = Save(model, folder);
        byte[] before = File.ReadAllBytes(path);
        model.named_parameters().First(pair => pair.name == "layers.1.attention.output.weight").parameter.detach()[3, 5].fill_(value);

        string message = Assert.ThrowsExactly<NotSupportedException>(() => Save(model, folder, type)).Message;

        Assert.Contains("'blk.1.attn_output.weight'", message);
        Assert.Contains(type.ToString(), message);
        CollectionAssert.AreEqual(before, File.ReadAllBytes(path));
        CollectionAssert.AreEqual((string[])["model.gguf"], folder.Names, "and no part of a file");
        Save(model, folder, GgufType.F32);
    }

    private static string Save(CausalLanguageModel model, TemporaryFolder folder, GgufType type = GgufType.F32) =>
        GgufModel.Save(folder["model.gguf"], model, new ByteLevelTokenizer(), SpecialTokens.None, type);

    private static CausalLanguageModelTransformer Transformer() =>
        new(new TrainedLanguageModel(new Gpt2Model(new(Vocabulary, 24, 1, 4, 64), seed: 1), new ByteLevelTokenizer()), new CausalLanguageModelTrainer.Options(), training: null);

    private static Dictionary<string, float[]> Parameters(nn.Module model) =>
        model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter.detach().contiguous().data<float>().ToArray());

    private static string[] Names(string folder) => [.. Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path))];
}
