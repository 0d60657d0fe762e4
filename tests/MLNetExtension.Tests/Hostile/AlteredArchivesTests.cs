using Microsoft.ML;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.MLNet;

namespace MLNetExtension.Tests.Hostile;

/// <summary>A saved model, altered: where it loads it scores as it did, unless weights and manifest were altered together, and else it is refused in words that name the entry.</summary>
[TestClass]
[TestCategory("Hostile")]
public sealed class AlteredArchivesTests
{
    private const int Archives = 3_000;

    public TestContext TestContext { get; set; } = null!;

    // What ML.NET reads before this library does, and words as it likes: the archive's directory, and its own entries.
    private static readonly string[] EntriesOfMLNet = ["TrainingInfo/", "Model.key", "Schema"];

    // Seen to fail with: no hash of the other entries in the weights, as it was (options with another number load, where the manifest was altered with them).
    [TestMethod]
    public void A_model_is_loaded_as_it_was_or_refused_in_words()
    {
        var mlContext = new MLContext(seed: 1);
        CausalLanguageModelTrainer.Options options = Tiny.Options();
        options.Adapters = new LoraOptions { Rank = 2, TargetModules = ["c_attn"] };
        var rows = Tiny.Rows(mlContext, Tiny.Texts);
        using var stream = new MemoryStream();
        float[] expected;
        using (var model = Tiny.Train(mlContext, options))
        {
            mlContext.Model.Save(model, rows.Schema, stream);
            expected = Losses(model);
        }
        byte[] whole = stream.ToArray();
        CollectionAssert.AreEqual(expected, Load(whole));
        int refused = 0, count = Attack.Scale(Archives);
        for (int seed = 0; seed < count; seed++)
        {
            Mutation mutation = Mutator.Mutate(whole, seed, FileFormat.Archive);
            if (EntriesOfMLNet.Any(mutation.Description.Contains))
                continue;
            float[] found = expected;
            bool isRefused = IsRefused(mutation, seed, () => found = Load(mutation.Bytes));
            if (isRefused)
                refused++;
            if (mutation.Kind.StartsWith("entry", StringComparison.Ordinal) && ChangesDescription(whole, mutation.Bytes))
                Assert.IsTrue(isRefused, $"seed {seed}, {mutation.Description}");
            // The manifest is no signature: whoever changes the weights and its line has another model.
            if (!mutation.Description.Contains("weights.safetensors, with the manifest", StringComparison.Ordinal))
                CollectionAssert.AreEqual(expected, found, $"seed {seed}, {mutation.Description}");
        }

        Assert.IsInRange(count / 3, count - 1, refused);
        TestContext.WriteLine($"{count} altered files: {refused} refused");

        float[] Load(byte[] archive)
        {
            using var loaded = (CausalLanguageModelTransformer)mlContext.Model.Load(new MemoryStream(archive), out _);
            return Losses(loaded);
        }

        float[] Losses(CausalLanguageModelTransformer model) => [.. Tiny.Score(mlContext, model, rows).Select(row => row.LossSum)];
    }

    // Whether options or description are other bytes than were saved with the weights.
    private static bool ChangesDescription(byte[] whole, byte[] altered)
    {
        Dictionary<string, byte[]> before = ArchiveMutator.Read(whole), after = ArchiveMutator.Read(altered);
        return before.Keys
            .Where(name => name.EndsWith("/options.json", StringComparison.Ordinal) || name.EndsWith("/model.json", StringComparison.Ordinal))
            .Any(name => !before[name].SequenceEqual(after.GetValueOrDefault(name, [])));
    }

    private static bool IsRefused(Mutation mutation, int seed, Action load)
    {
        Exception? beforeUs = null;
        bool refused = HostileFile.IsRefused(mutation, seed, ["The saved model's entry '", "a later version of MLNetExtension"], () =>
        {
            try
            {
                load();
            }
            catch (Exception exception) when (exception.StackTrace?.Contains("MLNetExtension.MLNet.Archive", StringComparison.Ordinal) != true)
            {
                beforeUs = exception;
            }
        });
        return refused || beforeUs is not null;
    }
}
