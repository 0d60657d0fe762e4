using System.IO.Compression;
using System.Text;
using Microsoft.ML;

namespace MLNetExtension.Tests.MLNet.Archive;

[TestClass]
public sealed class SavedModelTests
{
    private const string Manifest = "manifest.json";
    private const string Weights = "weights.safetensors";

    private static readonly byte[] Saved = Save();

    [TestMethod]
    public void A_saved_model_holds_options_and_configuration_as_json_and_weights_as_safetensors()
    {
        using var archive = new ZipArchive(new MemoryStream(Saved));

        string options = Read(archive, "options.json"), model = Read(archive, "model.json");
        Assert.Contains("\"column\": \"Text\"", options);
        Assert.Contains("\"normalization\": \"Token\"", options);
        Assert.Contains("\"seed\": 5", options);
        Assert.DoesNotContain("progress", options, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("\"architecture\": \"gpt2\"", model);
        Assert.Contains("\"tokenizer\": \"bytes\"", model);
        Assert.Contains("\"width\": 16", model);
        Assert.Contains("\"dtype\":\"F32\"", Read(archive, Weights));
    }

    [TestMethod]
    public void A_context_loads_only_after_registration_and_a_second_registration_changes_nothing()
    {
        var mlContext = new MLContext();
        Assert.Throws<Exception>(() => mlContext.Model.Load(new MemoryStream(Saved), out _));

        mlContext.CausalLanguageModeling.RegisterLoader();
        mlContext.CausalLanguageModeling.RegisterLoader();
        CausalLanguageModelTransformer.RegisterLoader(mlContext);
        using var loaded = (CausalLanguageModelTransformer)mlContext.Model.Load(new MemoryStream(Saved), out _);

        Assert.HasCount(Tiny.Texts.Length, Tiny.Score(mlContext, loaded, Tiny.Rows(mlContext, Tiny.Texts)));
        Assert.IsNull(loaded.Training);
    }

    [TestMethod]
    public void A_loaded_model_keeps_its_column_names_and_can_be_saved_again()
    {
        var mlContext = new MLContext(seed: 1);
        var options = Tiny.Options();
        options.Outputs = new() { LossSum = "Nats" };
        using var model = Tiny.Train(mlContext, options);
        using var first = new MemoryStream();
        mlContext.Model.Save(model, null, first);
        first.Position = 0;
        using var loaded = (CausalLanguageModelTransformer)mlContext.Model.Load(first, out _);
        using var second = new MemoryStream();
        mlContext.Model.Save(loaded, null, second);

        Assert.IsNotNull(loaded.GetOutputSchema(Tiny.Rows(mlContext, Tiny.Texts).Schema).GetColumnOrNull("Nats"));
        using ZipArchive before = new(first), after = new(second);
        foreach (string entry in new[] { Manifest, Weights, "options.json", "model.json" })
            Assert.AreEqual(Read(before, entry), Read(after, entry), entry);
    }

    [TestMethod]
    [DataRow(Manifest)]
    [DataRow(Weights)]
    [DataRow("options.json")]
    [DataRow("model.json")]
    public void An_archive_with_a_missing_a_shortened_or_an_altered_entry_gives_an_error_that_names_it(string name)
    {
        (string Expected, Func<byte[], byte[]?> Change)[] changes =
        [
            ("is missing", _ => null),
            (name == Manifest ? "cannot be read" : "were written", bytes => bytes[..^3]),
            ("cannot be read", bytes => [(byte)(bytes[0] ^ 1), .. bytes[1..]]),
        ];
        foreach (var (expected, change) in changes)
        {
            var error = LoadError(Change(Saved, name, change));
            Assert.IsInstanceOfType<InvalidDataException>(error);
            Assert.Contains($"entry '{name}'", error.Message);
            Assert.Contains(expected, error.Message);
        }
    }

    [TestMethod]
    public void Json_that_is_altered_and_still_valid_is_refused_too()
    {
        var error = LoadError(Change(Saved, "options.json", bytes =>
            Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes).Replace("\"batchSize\": 4", "\"batchSize\": 5", StringComparison.Ordinal))));

        Assert.Contains("entry 'options.json' cannot be read: its bytes have been changed", error.Message);
    }

    [TestMethod]
    public void Every_byte_of_the_weights_counts()
    {
        using var archive = new ZipArchive(new MemoryStream(Saved));
        int length = (int)Entry(archive, Weights).Length;
        for (int at = 0; at < length; at += length / 9)
        {
            var error = LoadError(Change(Saved, Weights, bytes =>
            {
                bytes[at] ^= 4;
                return bytes;
            }));
            Assert.Contains($"entry '{Weights}'", error.Message, $"byte {at}");
        }
    }

    // Damage below ML.NET's archive: the entry's packed bytes.
    [TestMethod]
    public void Damage_to_the_packed_bytes_of_an_entry_names_it_too()
    {
        byte[] damaged = [.. Saved];
        using (var archive = new ZipArchive(new MemoryStream(Saved)))
        {
            long packed = Entry(archive, Weights).CompressedLength;
            int name = damaged.AsSpan().IndexOf(Encoding.UTF8.GetBytes(Weights));
            damaged[name + Weights.Length + packed / 2] ^= 0x55;
        }

        Assert.Contains($"entry '{Weights}'", LoadError(damaged).Message);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(100)]
    [DataRow(-40)]
    public void What_is_no_archive_at_all_is_refused(int length) =>
        Assert.IsFalse(string.IsNullOrEmpty(LoadError(length < 0 ? Saved[..^-length] : [.. Enumerable.Repeat((byte)'x', length)]).Message));

    [TestMethod]
    public void A_format_from_the_future_is_refused_with_both_versions()
    {
        var error = LoadError(Change(Saved, Manifest, bytes =>
            Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes).Replace("\"formatVersion\": 2", "\"formatVersion\": 7", StringComparison.Ordinal))));

        Assert.IsInstanceOfType<NotSupportedException>(error);
        Assert.Contains("format 7", error.Message);
        Assert.Contains("up to 2", error.Message);
        Assert.Contains("Update MLNetExtension", error.Message);
    }

    [TestMethod]
    public void Weights_of_another_model_are_refused_by_the_name_of_a_tensor()
    {
        var mlContext = new MLContext(seed: 1);
        var options = Tiny.Options(steps: 0);
        options.Model = LanguageModel.Gpt2(layers: 2, heads: 2, width: 16, contextLength: 64);
        using var model = Tiny.Train(mlContext, options);
        using var stream = new MemoryStream();
        mlContext.Model.Save(model, null, stream);
        using var other = new ZipArchive(new MemoryStream(stream.ToArray()));

        byte[] mixed = Change(Saved, "model.json", _ => Bytes(Entry(other, "model.json")));
        mixed = Change(mixed, Manifest, bytes => Encoding.UTF8.GetBytes(Splice(Encoding.UTF8.GetString(bytes), Read(other, Manifest))));

        Assert.Contains("is not among them", LoadError(mixed).Message);
        Assert.Contains("h.1.", LoadError(mixed).Message);
    }

    [TestMethod]
    public void A_failed_load_leaves_no_tensor_behind()
    {
        byte[] damaged = Change(Saved, Weights, bytes => bytes[..^8]);
        LoadError(damaged);
        long live = TorchSharp.DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;

        LoadError(damaged);

        Assert.AreEqual(live, TorchSharp.DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }

    // Takes from the other manifest what it says of model.json.
    private static string Splice(string manifest, string other)
    {
        static string Part(string text) => text[text.IndexOf("\"name\": \"model.json\"", StringComparison.Ordinal)..][..140].Split('}')[0];
        return manifest.Replace(Part(manifest), Part(other), StringComparison.Ordinal);
    }

    private static byte[] Save()
    {
        var mlContext = new MLContext(seed: 1);
        using var model = Tiny.Train(mlContext);
        using var stream = new MemoryStream();
        mlContext.Model.Save(model, null, stream);
        return stream.ToArray();
    }

    // ML.NET wraps what a loader throws.
    private static Exception LoadError(byte[] archive)
    {
        var mlContext = new MLContext();
        mlContext.CausalLanguageModeling.RegisterLoader();
        return Assert.Throws<Exception>(() => mlContext.Model.Load(new MemoryStream(archive), out _)).GetBaseException();
    }

    private static byte[] Change(byte[] archive, string name, Func<byte[], byte[]?> change)
    {
        using var stream = new MemoryStream();
        stream.Write(archive);
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Update, leaveOpen: true))
        {
            var entry = Entry(zip, name);
            byte[]? changed = change(Bytes(entry));
            string path = entry.FullName;
            entry.Delete();
            if (changed is not null)
            {
                using var written = zip.CreateEntry(path).Open();
                written.Write(changed);
            }
        }
        return stream.ToArray();
    }

    private static ZipArchiveEntry Entry(ZipArchive archive, string name) => archive.Entries.Single(entry => entry.Name == name || entry.FullName.EndsWith('\\' + name));

    private static string Read(ZipArchive archive, string name) => Encoding.UTF8.GetString(Bytes(Entry(archive, name)));

    private static byte[] Bytes(ZipArchiveEntry entry)
    {
        using var source = entry.Open();
        using var bytes = new MemoryStream();
        source.CopyTo(bytes);
        return bytes.ToArray();
    }
}
