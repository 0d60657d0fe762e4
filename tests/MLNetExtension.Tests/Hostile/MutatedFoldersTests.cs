using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Tests.Formats.HuggingFace;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Hostile;

/// <summary>Each file of a published model and of a folder of adapters, altered a few hundred times: it loads, or is refused in words that name a file, and leaves no tensor behind.</summary>
/// <remarks>
/// | file | altered | outcomes seen |
/// |---|---|---|
/// | config.json of a GPT-2 and of a Llama | 400 | refused, or loaded |
/// | generation_config.json | 200 | refused, or loaded |
/// | model.safetensors.index.json | 200 | refused, or loaded |
/// | model.safetensors | 300 | refused, or loaded |
/// | adapter_config.json, adapter_model.safetensors | 400 | refused, or loaded |
/// </remarks>
[TestClass]
internal sealed class MutatedFoldersTests
{
    private const string Generation = """{"_from_model_config": true, "bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0, "do_sample": true, "temperature": 0.6}""";

    // A load takes milliseconds; on a busy machine, a second.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    // Seen to fail with: ids of special tokens that are refused without the file's name, as it was (seeds 0, 3 and 5).
    [TestMethod]
    [DataRow("gpt2", "config.json", FileFormat.Json, 200)]
    [DataRow("llama", "config.json", FileFormat.Json, 200)]
    [DataRow("llama", "generation_config.json", FileFormat.Json, 200)]
    [DataRow("mixtral", "model.safetensors.index.json", FileFormat.Json, 200)]
    [DataRow("llama", "model.safetensors", FileFormat.Safetensors, 300)]
    public void A_model_is_loaded_or_refused_in_words(string model, string file, FileFormat format, int seeds)
    {
        using CheckpointCopy copy = new(model);
        if (file == "generation_config.json")
            File.WriteAllText(copy[file], Generation);
        Attack(copy.Path, file, format, seeds, () => HuggingFaceModel.Load(copy.Path).Dispose());
    }

    [TestMethod]
    [DataRow("adapter_config.json", FileFormat.Json, 200)]
    [DataRow("adapter_model.safetensors", FileFormat.Safetensors, 200)]
    public void Adapters_are_loaded_or_refused_in_words(string file, FileFormat format, int seeds)
    {
        using TemporaryFolder folder = new();
        using CausalLanguageModel saved = Adapted.Model("Llama"), model = Adapted.Model("Llama");
        HuggingFaceAdapters.Save(HuggingFaceAdapters.Attach(saved, new() { Rank = 2, TargetModules = ["q_proj", "v_proj"] }, 1), folder.Path);
        Attack(folder.Path, file, format, seeds, () => HuggingFaceAdapters.Load(model, folder.Path).Remove());
    }

    private static void Attack(string folder, string file, FileFormat format, int seeds, Action load)
    {
        string path = Path.Combine(folder, file);
        byte[] whole = File.ReadAllBytes(path);
        load();
        long live = TorchSharp.DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        int refused = 0;
        for (int seed = 0; seed < seeds; seed++)
        {
            Mutation mutation = Mutator.Mutate(whole, seed, format);
            File.WriteAllBytes(path, mutation.Bytes);
            if (HostileFile.IsRefused(mutation, seed, [file, folder], load, Limit))
                refused++;
        }
        File.WriteAllBytes(path, whole);
        load();

        Assert.AreEqual(live, TorchSharp.DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount, "tensors left behind");
        // Neither may be all, or the test proves nothing.
        Assert.IsGreaterThan(seeds / 4, refused);
        Assert.IsLessThan(seeds, refused);
    }
}
