using System.Security.Cryptography;
using System.Text;
using Microsoft.ML;
using MLNetExtension.Tests.Samples;
using static MLNetExtension.Tests.MLNet.Tiny;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>Trainings of ten steps with a checkpoint after 3, 6, 9 and 10, and what tests do to those.</summary>
internal static class CheckpointRuns
{
    private static readonly Lazy<Dictionary<string, byte[]>> Written = new(() =>
    {
        using TemporaryFolder folder = new();
        Train(new MLContext(seed: 1), Resumable(folder.Path)).Dispose();
        return Directory.GetFiles(folder.Path, "*", SearchOption.AllDirectories).ToDictionary(path => Path.GetRelativePath(folder.Path, path), File.ReadAllBytes);
    });

    public static CausalLanguageModelTrainer.Options Resumable(string? folder, int steps = 10)
    {
        var options = Options(steps);
        options.Model = WithDropout(0.1);
        options.Batching = new() { MaximumTokensPerMicroBatch = 64 };
        options.Checkpoints = folder is null ? null : new() { Folder = folder, Interval = 3 };
        return options;
    }

    /// <summary>Writes the checkpoints that a whole training leaves, after steps 9 and 10.</summary>
    public static void WriteCheckpoints(string folder)
    {
        foreach ((string file, byte[] content) in Written.Value)
        {
            string path = Path.Combine(folder, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, content);
        }
    }

    public static float[] LossesOf(CausalLanguageModelTransformer model)
    {
        var mlContext = new MLContext(seed: 1);
        return [.. Score(mlContext, model, Rows(mlContext, Texts)).Select(row => row.LossSum)];
    }

    public static float[] LossesOfWholeTraining()
    {
        using var model = Train(new MLContext(seed: 1), Resumable(null));
        return LossesOf(model);
    }

    public static string NameOf(int step) => $"step-{step:D10}";

    public static string PathOf(TemporaryFolder folder, int step, string file) => Path.Combine(folder[NameOf(step)], file);

    /// <summary>Replaces text in a checkpoint's state, and its hash and length in the marker: what a forger does.</summary>
    public static void ForgeState(TemporaryFolder folder, int step, string before, string after) =>
        Forge(folder, step, "state.json", bytes =>
        {
            string text = Encoding.UTF8.GetString(bytes);
            Assert.Contains(before, text);
            return Encoding.UTF8.GetBytes(text.Replace(before, after, StringComparison.Ordinal));
        });

    public static void Forge(TemporaryFolder folder, int step, string file, Func<byte[], byte[]> change)
    {
        string path = PathOf(folder, step, file), marker = PathOf(folder, step, "complete.json");
        byte[] before = File.ReadAllBytes(path), after = change([.. before]);
        File.WriteAllBytes(path, after);
        File.WriteAllText(marker, File.ReadAllText(marker)
            .Replace(Hash(before), Hash(after), StringComparison.Ordinal)
            .Replace($"\"Length\":{before.Length},", $"\"Length\":{after.Length},", StringComparison.Ordinal));

        static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
    }
}
