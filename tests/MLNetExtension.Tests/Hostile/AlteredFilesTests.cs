using Microsoft.ML;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.MLNet;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Hostile;

/// <summary>Files that were altered, by chance or on purpose: each is used as if nothing had happened or refused in one sentence that names it, in a moment.</summary>
[TestClass]
[TestCategory("Hostile")]
public sealed class AlteredFilesTests
{
    private const int Archives = 3_000, Checkpoints = 1_500, PublishedFiles = 1_000, AdapterFiles = 500;

    // A tenth of a second is usual. What hangs, or makes what a forged number asks for, takes longer than this also on a busy machine.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly Dictionary<string, int> _outcomes = [];

    public TestContext TestContext { get; set; } = null!;

    [TestCleanup]
    public void WriteOutcomes() => TestContext.WriteLine(string.Join("; ", _outcomes.OrderBy(outcome => outcome.Key, StringComparer.Ordinal).Select(outcome => $"{outcome.Key}: {outcome.Value}")));

    [TestMethod]
    public void Saved_models()
    {
        _mlContext.CausalLanguageModeling.RegisterLoader();
        using TemporaryFolder folder = new();
        string file = folder["model.zip"];
        using (CausalLanguageModelTransformer model = Tiny.Train(_mlContext))
            _mlContext.Model.Save(model, Tiny.Rows(_mlContext).Schema, file);
        Attacked archive = new(file, FileFormat.Archive, ["manifest.json", "model.json", "options.json", "weights.safetensors", "model.zip", "saved model", "model file"]);
        Strike(archive, Archives, () =>
        {
            ITransformer model = Load(file);
            using IDisposable owned = (IDisposable)model;
            Tiny.Score(_mlContext, model, Tiny.Rows(_mlContext, "one row"));
        });
    }

    // The older of two checkpoints is whole: whatever happened to the newest, the training resumes, and ends with the same weights.
    [TestMethod]
    public void Checkpoints_of_which_the_newest_is_altered()
    {
        using TemporaryFolder folder = new();
        byte[] expected = TrainFrom(folder["checkpoints"]);
        string newest = Path.Combine(folder["checkpoints"], "step-0000000004");
        foreach ((string name, FileFormat format) in new[] { ("complete.json", FileFormat.Json), ("state.json", FileFormat.Json), ("tensors.safetensors", FileFormat.Safetensors) })
        {
            Attacked file = new(Path.Combine(newest, name), format, []);
            Strike(file, Checkpoints / 3, () =>
            {
                CopyFolder(folder["checkpoints"], folder["altered"]);
                CollectionAssert.AreEqual(expected, TrainFrom(folder["altered"]));
                Directory.Delete(folder["altered"], recursive: true);
            });
        }
    }

    [TestMethod]
    [DataRow("config.json", FileFormat.Json)]
    [DataRow("generation_config.json", FileFormat.Json)]
    [DataRow("model.safetensors", FileFormat.Safetensors)]
    [DataRow("tokenizer.json", FileFormat.Json)]
    [DataRow("tokenizer_config.json", FileFormat.Json)]
    public void Published_models(string name, object format)
    {
        using TemporaryFolder folder = new();
        string published = PublishedModel.Write(folder["published"]);
        Attacked file = new(Path.Combine(published, name), (FileFormat)format, ["published", .. Directory.GetFiles(published).Select(path => Path.GetFileName(path))]);
        Strike(file, PublishedFiles, () =>
        {
            CausalLanguageModelTrainer.Options options = new() { Model = LanguageModel.Pretrained(published), MaximumSteps = 0, Seed = 1 };
            using CausalLanguageModelTransformer model = Tiny.Train(_mlContext, options);
            Tiny.Score(_mlContext, model, Tiny.Rows(_mlContext, "one row"));
        });
    }

    [TestMethod]
    [DataRow("adapter_config.json", FileFormat.Json)]
    [DataRow("adapter_model.safetensors", FileFormat.Safetensors)]
    public void Adapters(string name, object format)
    {
        using TemporaryFolder folder = new();
        using (CausalLanguageModel model = Adapted.Model("Llama"))
            HuggingFaceAdapters.Save(Adapted.Attach(model, new LoraOptions { Rank = 2 }), folder["adapters"], "base");
        Attacked file = new(Path.Combine(folder["adapters"], name), (FileFormat)format, ["adapter_config.json", "adapter_model.safetensors"]);
        Strike(file, AdapterFiles, () =>
        {
            using CausalLanguageModel model = Adapted.Model("Llama");
            HuggingFaceAdapters.Load(model, folder["adapters"]);
        });
    }

    // ML.NET reads the archive's directory and its own entries before this library is asked, and says what it finds in words of its own, which name no file.
    private ITransformer Load(string file)
    {
        try
        {
            return _mlContext.Model.Load(file, out _);
        }
        catch (Exception exception) when (exception.StackTrace?.Contains("MLNetExtension.MLNet.Archive", StringComparison.Ordinal) != true)
        {
            throw new InvalidDataException($"{file} is refused by ML.NET: {exception.Message}", exception);
        }
    }

    private void Strike(Attacked file, int full, Action load)
    {
        byte[] original = File.ReadAllBytes(file.Path);
        load();
        for (int seed = 0; seed < Attack.Scale(full); seed++)
        {
            Mutation mutation = Mutator.Mutate(original, seed, file.Format);
            File.WriteAllBytes(file.Path, mutation.Bytes);
            bool refused = HostileFile.IsRefused(mutation, seed, file.Names, load, Limit);
            string outcome = $"{Path.GetFileName(file.Path)} {(refused ? "refused" : "used")}";
            _outcomes[outcome] = _outcomes.GetValueOrDefault(outcome) + 1;
        }
        File.WriteAllBytes(file.Path, original);
    }

    private byte[] TrainFrom(string folder)
    {
        CausalLanguageModelTrainer.Options options = Tiny.Options(steps: 4);
        options.Batching = new() { MaximumTokensPerMicroBatch = 512 };
        options.Checkpoints = new() { Folder = folder, Interval = 1 };
        using CausalLanguageModelTransformer model = Tiny.Train(_mlContext, options);
        using MemoryStream archive = new();
        _mlContext.Model.Save(model, Tiny.Rows(_mlContext).Schema, archive);
        return ArchiveEntries.Read(archive, "weights.safetensors");
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (string file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    /// <param name="Path">The file.</param>
    /// <param name="Format">What it is.</param>
    /// <param name="Names">Of which the message of a refusal has one.</param>
    private sealed record Attacked(string Path, FileFormat Format, IReadOnlyList<string> Names);
}
