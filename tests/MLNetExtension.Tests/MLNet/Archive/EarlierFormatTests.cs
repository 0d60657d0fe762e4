using System.IO.Compression;
using Microsoft.ML;
using MLNetExtension.Tests.Repository;

namespace MLNetExtension.Tests.MLNet.Archive;

/// <summary>What earlier versions saved, kept as it was: it is never made anew.</summary>
[TestClass]
public sealed class EarlierFormatTests
{
    // model-format-1.zip: Tiny.Options(steps: 20) with a width of 8 and a context of 16, trained on Tiny.Texts and saved with mlContext.Model.Save of Microsoft.ML 5.0.1;
    // the sums are what it gave for Tiny.Texts then. Its entries are laid into an archive of the ML.NET at hand, whose own entries are no concern of ours.
    [TestMethod]
    public void A_model_of_the_first_format_loads_and_gives_the_same_losses()
    {
        double[] expected = [83.00805, 57.35552, 5.1460457, 83.08997, 67.47913, 41.3818, 82.80528, 20.724833];
        var mlContext = new MLContext(seed: 1);
        using var archive = new MemoryStream();
        using (var other = Tiny.Train(mlContext))
            mlContext.Model.Save(other, null, archive);
        Lay(Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/MLNet/Archive/Golden/model-format-1.zip"), archive);

        using var model = (CausalLanguageModelTransformer)mlContext.Model.Load(archive, out _);

        var losses = Tiny.Score(mlContext, model, Tiny.Rows(mlContext, Tiny.Texts)).Select(row => row.LossSum).ToArray();
        Assert.HasCount(expected.Length, losses);
        for (int row = 0; row < losses.Length; row++)
            Assert.AreEqual(expected[row], losses[row], 1e-4 * expected[row], $"row {row}");
    }

    private static void Lay(string golden, Stream archive)
    {
        using var source = ZipFile.OpenRead(golden);
        using var target = new ZipArchive(archive, ZipArchiveMode.Update, leaveOpen: true);
        foreach (string name in new[] { "options.json", "model.json", "weights.safetensors", "manifest.json" })
        {
            var replaced = Entry(target, name);
            string path = replaced.FullName;
            replaced.Delete();
            using var from = Entry(source, name).Open();
            using var to = target.CreateEntry(path).Open();
            from.CopyTo(to);
        }
    }

    private static ZipArchiveEntry Entry(ZipArchive archive, string name) =>
        archive.Entries.Single(entry => entry.Name == name || entry.FullName.EndsWith('\\' + name));
}
