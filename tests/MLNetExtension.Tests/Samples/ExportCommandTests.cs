using System.Text.Json;
using MLNetExtension.Tests.Formats.Gguf;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class ExportCommandTests
{
    private static TemporaryFolder _folder = null!;
    private static string _published = null!, _trained = null!, _adapted = null!;

    [ClassInitialize]
    public static void Train(TestContext context)
    {
        _folder = new TemporaryFolder();
        _published = PublishedModel.Write(_folder["published"]);
        string rows = _folder.WritePrompts("rows.jsonl");
        Assert.AreEqual(0, CommandLine.TrainTiny(rows, _folder["train"]).ExitCode);
        Assert.AreEqual(0, CommandLine.Run("finetune", "--base", _published, "--data", rows, "--rank", "2", "--steps", "3", "--output", _folder["finetune"]).ExitCode);
        (_trained, _adapted) = (Path.Combine(_folder["train"], "model.zip"), Path.Combine(_folder["finetune"], "model.zip"));
    }

    [ClassCleanup]
    public static void CleanUp() => _folder.Dispose();

    [TestMethod]
    public void A_trained_model_is_written_as_GGUF_and_the_files_are_reported()
    {
        string output = _folder["tiny.gguf"], json = _folder["export.json"];
        string said = AssertRuns("export", "--model", _trained, "--to", "gguf", "--output", output, "--json", json);

        Assert.AreEqual("gpt2", new GgufFile(output).Keys["general.architecture"]);
        JsonElement report = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(json)), file = report.GetProperty("files").EnumerateArray().Single();
        Assert.AreEqual("F32", report.GetProperty("type").GetString());
        Assert.AreEqual((output, new FileInfo(output).Length), (file.GetProperty("path").GetString(), file.GetProperty("bytes").GetInt64()));
        StringAssert.Contains(said, $"{output}: {new FileInfo(output).Length:N0} bytes");
    }

    [TestMethod]
    [DataRow("F32", 0u)]
    [DataRow("f16", 1u)]
    [DataRow("bf16", 30u)]
    [DataRow("q8_0", 1u)]      // rows of 16 are no whole blocks
    public void A_published_model_is_written_in_the_type_that_is_asked_for(string type, uint code)
    {
        string output = _folder["as-" + type];
        AssertRuns("export", "--model", _published, "--to", "gguf", "--type", type, "--output", output);
        Assert.AreEqual(code, new GgufFile(Path.Combine(output, "model.gguf")).Tensors["blk.0.attn_q.weight"].Type);
    }

    [TestMethod]
    public void A_folder_of_Hugging_Faces_is_exported_as_it_is_and_only_its_own_files_are_reported()
    {
        string output = _folder["folder"], json = _folder["folder.json"];
        Directory.CreateDirectory(output);
        File.WriteAllText(Path.Combine(output, "notes.txt"), "mine");
        File.SetLastWriteTimeUtc(Path.Combine(output, "notes.txt"), DateTime.UtcNow.AddMinutes(-1));
        AssertRuns("export", "--model", _published, "--to", "huggingface", "--output", output, "--json", json);

        CollectionAssert.AreEqual(File.ReadAllBytes(Path.Combine(_published, "model.safetensors")), File.ReadAllBytes(Path.Combine(output, "model.safetensors")));
        string[] files = [.. JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(json)).GetProperty("files").EnumerateArray().Select(file => Path.GetFileName(file.GetProperty("path").GetString()!))];
        CollectionAssert.AreEquivalent(Directory.EnumerateFiles(output).Select(Path.GetFileName).Except(["notes.txt"]).ToArray(), files);
    }

    [TestMethod]
    public void Adapters_are_merged_into_what_is_written()
    {
        AssertRuns("export", "--model", _adapted, "--to", "huggingface", "--output", _folder["merged"]);
        AssertRuns("export", "--model", _folder["merged"], "--to", "gguf", "--output", _folder["merged.gguf"]);
        AssertRuns("export", "--model", _adapted, "--to", "gguf", "--output", _folder["adapted.gguf"]);
        AssertRuns("export", "--model", _published, "--to", "gguf", "--output", _folder["plain.gguf"]);
        byte[] adapted = File.ReadAllBytes(_folder["adapted.gguf"]);
        CollectionAssert.AreEqual(File.ReadAllBytes(_folder["merged.gguf"]), adapted);
        CollectionAssert.AreNotEqual(File.ReadAllBytes(_folder["plain.gguf"]), adapted);
    }

    [TestMethod]
    [DataRow("--type is for --to gguf", "--model", "PUBLISHED", "--to", "huggingface", "--type", "f16")]
    [DataRow("'pickle'", "--model", "PUBLISHED", "--to", "pickle")]
    [DataRow("Option '--to' is required", "--model", "PUBLISHED")]
    [DataRow("does not exist", "--model", "nothing.zip", "--to", "gguf")]
    [DataRow("is not a model that this program can open", "--model", "EMPTY", "--to", "gguf")]
    [DataRow("--to gguf: A model of the type 'smollm3'", "--model", "SMOLLM3", "--to", "gguf")]
    public void What_cannot_be_exported_gets_one_line_and_leaves_nothing(string expected, params string[] arguments)
    {
        string golden = Path.Combine(Repository.SourceTree.Root, "tests/MLNetExtension.Tests/Models/Golden/smollm3");
        IEnumerable<string> filled = arguments.Select(argument => argument switch
        {
            "PUBLISHED" => _published,
            "EMPTY" => Directory.CreateDirectory(_folder["empty"]).FullName,
            "SMOLLM3" => golden,
            _ => argument,
        });
        (int exitCode, _, string error) = CommandLine.Run(["export", .. filled, "--output", _folder["refused"]]);
        Assert.AreEqual(2, exitCode, error);
        StringAssert.Contains(error, expected);
        Assert.HasCount(1, error.TrimEnd().Split('\n'));
        Assert.IsFalse(Path.Exists(_folder["refused"]));
    }

    private static string AssertRuns(params string[] arguments)
    {
        (int exitCode, string output, string error) = CommandLine.Run(arguments);
        Assert.AreEqual((0, ""), (exitCode, error));
        return output;
    }
}
