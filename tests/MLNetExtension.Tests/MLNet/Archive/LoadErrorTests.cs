using Microsoft.ML;
using MLNetExtension.Tests.Hostile;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.MLNet.Archive;

/// <summary>What <c>mlContext.Model.Load</c> throws says what is wrong in its own message, not in one inside it.</summary>
[TestClass]
public sealed class LoadErrorTests
{
    // Seen to fail with: ML.NET's own call of the loader (TargetInvocationException, "Exception has been thrown by the target of an invocation.").
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void An_error_arrives_as_it_was_thrown_from_a_model_alone_and_from_a_pipeline(bool inPipeline)
    {
        var mlContext = new MLContext(seed: 1);
        var rows = Tiny.Rows(mlContext, Tiny.Texts);
        ITransformer model = Tiny.Train(mlContext);
        if (inPipeline)
            model = mlContext.Transforms.CopyColumns("Copy", "Text").Fit(rows).Append(model);
        using var stream = new MemoryStream();
        mlContext.Model.Save(model, null, stream);
        (model as IDisposable)?.Dispose();
        Dictionary<string, byte[]> entries = ArchiveMutator.Read(stream.ToArray());
        string weights = entries.Keys.Single(name => name.EndsWith("weights.safetensors", StringComparison.Ordinal));
        entries[weights][^1] ^= 1;

        InvalidDataException error = Assert.ThrowsExactly<InvalidDataException>(() => Load(ArchiveMutator.Write(entries)));

        Assert.AreEqual("The saved model's entry 'weights.safetensors' cannot be read: its bytes have been changed since they were written.", error.Message);
        entries.Remove(weights);
        Assert.AreEqual("The saved model's entry 'weights.safetensors' is missing.", Assert.ThrowsExactly<InvalidDataException>(() => Load(ArchiveMutator.Write(entries))).Message);
    }

    // ML.NET's own words, which come before anything of this library runs.
    [TestMethod]
    public void What_is_no_archive_is_refused_in_words_by_mlnet()
    {
        using TemporaryFolder folder = new();
        var mlContext = new MLContext(seed: 1);
        using (var model = Tiny.Train(mlContext))
            mlContext.Model.Save(model, null, folder["model.zip"]);
        byte[] whole = File.ReadAllBytes(folder["model.zip"]);
        foreach ((string name, byte[] bytes) in new[] { ("empty.zip", []), ("text.zip", "not a zip"u8.ToArray()), ("truncated.zip", whole[..^50]) })
        {
            folder.Write(name, bytes);
            Assert.AreEqual("Failed to open a zip archive", Assert.ThrowsExactly<FormatException>(() => LoadFile(folder[name])).Message);
        }
        Assert.Contains(folder.Path, Assert.ThrowsExactly<UnauthorizedAccessException>(() => LoadFile(folder.Path)).Message);
        Assert.Contains(folder["none.zip"], Assert.ThrowsExactly<FileNotFoundException>(() => LoadFile(folder["none.zip"])).Message);
    }

    private static void Load(byte[] archive) => LoadFrom(mlContext => mlContext.Model.Load(new MemoryStream(archive), out _));

    private static void LoadFile(string path) => LoadFrom(mlContext => mlContext.Model.Load(path, out _));

    private static void LoadFrom(Func<MLContext, ITransformer> load)
    {
        var mlContext = new MLContext();
        mlContext.CausalLanguageModeling.RegisterLoader();
        (load(mlContext) as IDisposable)?.Dispose();
    }
}
