using Microsoft.ML;
using MLNetExtension.Tests.MLNet;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Hostile;

/// <summary>The newest of two checkpoints, altered: the older one is whole, so the training resumes, whatever happened, and ends with the same weights.</summary>
[TestClass]
[TestCategory("Hostile")]
public sealed class AlteredCheckpointsTests
{
    private const int FilesOfAKind = 300;

    private readonly MLContext _mlContext = new(seed: 1);

    // Seen to fail with: the newest checkpoint read without its hashes, as it was (seed 5 of the marker: an error where an older checkpoint was whole).
    [TestMethod]
    [DataRow("complete.json", FileFormat.Json)]
    [DataRow("state.json", FileFormat.Json)]
    [DataRow("tensors.safetensors", FileFormat.Safetensors)]
    public void A_training_resumes_to_the_same_weights(string name, object format)
    {
        using TemporaryFolder folder = new();
        byte[] expected = TrainFrom(folder["checkpoints"]);
        string file = Path.Combine(folder["checkpoints"], "step-0000000004", name);
        byte[] original = File.ReadAllBytes(file);
        for (int seed = 0; seed < Attack.Scale(FilesOfAKind); seed++)
        {
            Mutation mutation = Mutator.Mutate(original, seed, (FileFormat)format);
            File.WriteAllBytes(file, mutation.Bytes);
            CopyFolder(folder["checkpoints"], folder["altered"]);

            CollectionAssert.AreEqual(expected, TrainFrom(folder["altered"]), $"seed {seed}, {mutation.Description}");

            Directory.Delete(folder["altered"], recursive: true);
        }
    }

    // Four steps and a checkpoint after each: the newest two are kept, and the older of them lacks one step.
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
}
