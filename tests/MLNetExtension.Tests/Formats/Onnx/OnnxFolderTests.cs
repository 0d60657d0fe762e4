using System.Text.Json;
using MLNetExtension.Formats;
using MLNetExtension.Formats.Onnx;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tests.Models.Custom;
using MLNetExtension.Tests.Models.Llama;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Formats.Onnx;

/// <summary>What is written, what is refused, and what stays as it was. That ONNX Runtime computes the same is shown in the project of tests with other programs.</summary>
[TestClass]
internal sealed class OnnxFolderTests
{
    private static readonly SpecialTokens Tokens = new(BeginId: null, EndIds: [256, 7], PaddingId: null);

    [TestMethod]
    public void The_folder_holds_the_graph_its_weights_and_what_GenAI_reads()
    {
        using TemporaryFolder folder = new();
        using CausalLanguageModelTransformer model = Create(TinyModels.Gpt2(ScalarType.Float32));

        model.SaveAsOnnx(folder["model"]);

        CollectionAssert.AreEquivalent(
            new[] { "genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json", "tokenizer_config.json" }, Directory.GetFileSystemEntries(folder["model"]).Select(Path.GetFileName).ToArray());
        using JsonDocument configuration = JsonDocument.Parse(File.ReadAllText(folder["model/genai_config.json"]));
        JsonElement described = configuration.RootElement.GetProperty("model"), decoder = described.GetProperty("decoder");
        Assert.AreEqual((257, TinyModels.ContextLength, 2, 8), (
            described.GetProperty("vocab_size").GetInt32(), described.GetProperty("context_length").GetInt32(), decoder.GetProperty("num_key_value_heads").GetInt32(), decoder.GetProperty("head_size").GetInt32()));
        // A tied head is stored once: all weights, each from a page on.
        long weights = TinyModels.Gpt2(ScalarType.Float32).parameters().Sum(parameter => parameter.numel() * sizeof(float));
        Assert.IsInRange(weights, weights + 4096 * 29, new FileInfo(folder["model/model.onnx.data"]).Length);
    }

    // GenAI opens no tokenizer without this file.
    [TestMethod]
    public void A_tokenizer_without_a_configuration_gets_one()
    {
        using TemporaryFolder folder = new();
        using Gpt2Model network = TinyModels.Gpt2(ScalarType.Float32);
        TokenizerFile tokenizer = new ByteLevelTokenizer().Files.First(file => file.Name == "tokenizer.json");
        OnnxFolder.Save(network, Tokens, [tokenizer], folder.Path);
        StringAssert.Contains(File.ReadAllText(folder["tokenizer_config.json"]), "tokenizer_class");
        OnnxFolder.Save(network, Tokens, [], folder["ids"]);
        CollectionAssert.AreEquivalent(new[] { "genai_config.json", "model.onnx", "model.onnx.data" }, Directory.GetFileSystemEntries(folder["ids"]).Select(Path.GetFileName).ToArray());
    }

    [TestMethod]
    public void The_model_keeps_its_adapters_and_every_weight()
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        Gpt2Model network = TinyModels.Gpt2(ScalarType.Float32);
        LoraAdapters adapters = TrainedLanguageModel.AttachAdapters(network, new LoraOptions(), seed: 1);
        using (no_grad())
        {
            foreach ((_, LowRankAdapter adapter) in adapters.Attached)
                adapter.B.fill_(0.5);
        }
        using CausalLanguageModelTransformer model = new(new TrainedLanguageModel(network, new ByteLevelTokenizer(), adapters), new CausalLanguageModelTrainer.Options(), training: null);
        byte[][] before = [.. network.parameters().Select(parameter => parameter.bytes.ToArray())];

        model.SaveAsOnnx(folder["adapted"]);

        foreach ((byte[] was, TorchSharp.Modules.Parameter parameter) in before.Zip(network.parameters()))
            CollectionAssert.AreEqual(was, parameter.bytes.ToArray());
        model.SaveAdapters(folder["adapters"]);
        byte[] adapted = File.ReadAllBytes(folder["adapted/model.onnx.data"]);
        model.MergeAdapters();
        model.SaveAsOnnx(folder["merged"]);
        CollectionAssert.AreEqual(File.ReadAllBytes(folder["merged/model.onnx.data"]), adapted);
    }

    [TestMethod]
    public void A_custom_network_is_refused_by_name_and_nothing_is_written()
    {
        using TemporaryFolder folder = new();
        CausalLanguageModel network = new NetworkFactory("mine", () => new Recurrent(new LetterTokenizer().VocabularySize), new LetterTokenizer(), 16).Create(seed: 0);
        using CausalLanguageModelTransformer model = new(new TrainedLanguageModel(network, new LetterTokenizer()), new CausalLanguageModelTrainer.Options(), training: null);
        StringAssert.StartsWith(Assert.ThrowsExactly<NotSupportedException>(() => model.SaveAsOnnx(folder["model"])).Message, "The custom model 'mine' cannot be saved as ONNX");
        Assert.IsFalse(Directory.Exists(folder["model"]));
    }

    [TestMethod]
    public void A_type_that_the_graph_does_not_know_is_refused_by_name_and_nothing_is_written()
    {
        using TemporaryFolder folder = new();
        using CausalLanguageModelTransformer model = Create(TinyLlama.Make(TinyLlama.Configuration with { ModelType = "llama9" }, ScalarType.Float32));
        Assert.AreEqual(
            "A model of the type 'llama9' cannot be written as ONNX; known are gpt2, llama, mistral, mixtral, qwen2, qwen3, smollm3.",
            Assert.ThrowsExactly<NotSupportedException>(() => model.SaveAsOnnx(folder["model"])).Message);
        Assert.IsFalse(Directory.Exists(folder["model"]));
    }

    // Seen to fail with: the marker put in place before the other files.
    [TestMethod]
    public void A_save_that_is_interrupted_leaves_no_graph()
    {
        using TemporaryFolder folder = new();
        using CausalLanguageModelTransformer model = Create(TinyModels.Gpt2(ScalarType.Float32));
        model.SaveAsOnnx(folder.Path);
        File.Delete(folder["tokenizer_config.json"]);
        Directory.CreateDirectory(folder["tokenizer_config.json"]);      // what cannot be replaced by a file

        Assert.Throws<Exception>(() => model.SaveAsOnnx(folder.Path));

        Assert.IsFalse(File.Exists(folder["model.onnx"]));
        Assert.IsEmpty(Directory.GetDirectories(folder.Path, ".saving-*"));
        Directory.Delete(folder["tokenizer_config.json"]);
        model.SaveAsOnnx(folder.Path);
        Assert.IsTrue(File.Exists(folder["model.onnx"]));
    }

    // Weights of 68 MiB; a linear layer's is written transposed, and one with adapters is copied to merge them.
    // Seen to fail with: all weights copied before the first is written.
    [TestMethod]
    [TestCategory("Alone")]
    public void Saving_needs_little_more_memory_than_the_largest_adapted_weight()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Inconclusive("The peak is read from /proc.");
        using TemporaryFolder folder = new();
        Gpt2Model network = new(new Gpt2Configuration(257, ContextLength: 64, Layers: 6, Heads: 1, Width: 480), seed: 1);
        LoraAdapters adapters = TrainedLanguageModel.AttachAdapters(network, new LoraOptions(), seed: 1);
        long bytes = network.parameters().Sum(parameter => parameter.numel() * sizeof(float)), largest = network.parameters().Max(parameter => parameter.numel() * sizeof(float));
        using CausalLanguageModelTransformer model = new(new TrainedLanguageModel(network, new ByteLevelTokenizer(), adapters), new CausalLanguageModelTrainer.Options(), training: null);
        model.SaveAsOnnx(folder["warm"]);

        long growth = PeakMemory.Growth(() => model.SaveAsOnnx(folder["model"]));

        Assert.IsGreaterThan(60_000_000, bytes);
        Assert.IsLessThan(3 * largest + (8 << 20), growth);
    }

    private static CausalLanguageModelTransformer Create(CausalLanguageModel network) =>
        new(new TrainedLanguageModel(network, new ByteLevelTokenizer()), new CausalLanguageModelTrainer.Options(), training: null);
}
