using Microsoft.ML;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Tests.Formats.HuggingFace;
using MLNetExtension.Tests.MLNet;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Tests.Samples;
using TorchSharp;

namespace MLNetExtension.Tests.Hostile;

/// <summary>The files of published models and of PEFT's adapters, altered: each is used, or refused in words that name a file, and leaves no tensor behind.</summary>
[TestClass]
[TestCategory("Hostile")]
public sealed class AlteredFoldersTests
{
    private const string Generation = """{"_from_model_config": true, "bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0, "do_sample": true, "temperature": 0.6}""";

    public TestContext TestContext { get; set; } = null!;

    // Seen to fail with: ids of special tokens that are refused without the file's name, as it was (seeds 0, 3 and 5).
    [TestMethod]
    [DataRow("gpt2", "config.json", FileFormat.Json, 500)]
    [DataRow("llama", "config.json", FileFormat.Json, 500)]
    [DataRow("qwen3-moe", "config.json", FileFormat.Json, 300)]
    [DataRow("phi3-longrope-short-row", "config.json", FileFormat.Json, 300)]
    [DataRow("gemma3-rope-parameters", "config.json", FileFormat.Json, 300)]
    [DataRow("llama", "generation_config.json", FileFormat.Json, 300)]
    [DataRow("mixtral", "model.safetensors.index.json", FileFormat.Json, 400)]
    [DataRow("llama", "model.safetensors", FileFormat.Safetensors, 600)]
    public void A_model_is_loaded_or_refused_in_words(string model, string file, object format, int count)
    {
        using CheckpointCopy copy = new(model);
        if (file == "generation_config.json")
            File.WriteAllText(copy[file], Generation);
        Strike(copy.Path, file, format, count, () => HuggingFaceModel.Load(copy.Path).Dispose());
    }

    // With everything behind it: the trainer, the tokenizer, a score.
    [TestMethod]
    [DataRow("config.json", FileFormat.Json)]
    [DataRow("generation_config.json", FileFormat.Json)]
    [DataRow("model.safetensors", FileFormat.Safetensors)]
    [DataRow("tokenizer.json", FileFormat.Json)]
    [DataRow("tokenizer_config.json", FileFormat.Json)]
    public void A_model_is_trained_and_used_or_refused_in_words(string file, object format)
    {
        using TemporaryFolder folder = new();
        MLContext mlContext = new(seed: 1);
        string published = PublishedModel.Write(folder["published"]);
        Strike(published, file, format, 400, () =>
        {
            CausalLanguageModelTrainer.Options options = new() { Model = LanguageModel.Pretrained(published), MaximumSteps = 0, Seed = 1 };
            using CausalLanguageModelTransformer model = Tiny.Train(mlContext, options);
            Tiny.Score(mlContext, model, Tiny.Rows(mlContext, "one row"));
        });
    }

    [TestMethod]
    [DataRow("adapter_config.json", FileFormat.Json)]
    [DataRow("adapter_model.safetensors", FileFormat.Safetensors)]
    public void Adapters_are_loaded_or_refused_in_words(string file, object format)
    {
        using TemporaryFolder folder = new();
        using CausalLanguageModel saved = Adapted.Model("Llama"), model = Adapted.Model("Llama");
        HuggingFaceAdapters.Save(HuggingFaceAdapters.Attach(saved, new() { Rank = 2, TargetModules = ["q_proj", "v_proj"] }, 1), folder.Path);
        Strike(folder.Path, file, format, 500, () => HuggingFaceAdapters.Load(model, folder.Path).Remove());
    }

    private void Strike(string folder, string file, object format, int count, Action use)
    {
        string path = Path.Combine(folder, file);
        byte[] original = File.ReadAllBytes(path);
        use();
        long live = LiveTensors;
        TestContext.WriteLine(HostileFile.Strike(original, (FileFormat)format, Attack.Scale(count), [file, folder], bytes =>
        {
            File.WriteAllBytes(path, bytes);
            use();
        }));
        Assert.AreEqual(live, LiveTensors, "tensors left behind");
    }

    private static long LiveTensors => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
}
