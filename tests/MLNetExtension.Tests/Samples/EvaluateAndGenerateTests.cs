using System.Text.Json;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class EvaluateAndGenerateTests
{
    private static TemporaryFolder _folder = null!;
    private static string _prompts = null!, _model = null!;

    [ClassInitialize]
    public static void Train(TestContext context)
    {
        _folder = new TemporaryFolder();
        _prompts = _folder.WritePrompts("rows.jsonl");
        _model = Path.Combine(_folder["out"], "model.zip");
        Assert.AreEqual(0, CommandLine.TrainTiny(_prompts, _folder["out"]).ExitCode);
    }

    [ClassCleanup]
    public static void CleanUp() => _folder.Dispose();

    [TestMethod]
    public void A_saved_model_is_measured_on_the_rows_of_a_file()
    {
        string json = _folder["evaluate.json"];
        (int exitCode, string output, string error) = CommandLine.Run("evaluate", "--model", _model, "--data", _prompts, "--json", json);

        Assert.AreEqual((0, ""), (exitCode, error));
        JsonElement metrics = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(json)).GetProperty("metrics");
        Assert.AreEqual(40, metrics.GetProperty("rows").GetInt64());
        StringAssert.Contains(output, metrics.GetProperty("loss").GetDouble().ToString("0.0000"));
    }

    [TestMethod]
    public void Rows_of_another_kind_than_the_model_was_trained_on_are_refused()
    {
        string texts = _folder.Write("texts.txt", "one\ntwo\n");
        (int exitCode, _, string error) = CommandLine.Run("evaluate", "--model", _model, "--data", texts);
        Assert.AreEqual(2, exitCode);
        StringAssert.Contains(error, "texts without prompts");
    }

    [TestMethod]
    public void Text_is_the_same_for_the_same_seed_and_another_for_another()
    {
        string Generate(string seed)
        {
            (int exitCode, string output, string error) = CommandLine.Run("generate", "--model", _model, "--prompt", "Number 7", "--temperature", "1.5", "--max-new-tokens", "30", "--seed", seed);
            Assert.AreEqual((0, ""), (exitCode, error));
            return output;
        }

        string text = Generate("1");
        Assert.AreNotEqual("", text.Trim());
        Assert.AreEqual(text, Generate("1"));
        Assert.AreNotEqual(text, Generate("2"));
    }

    [TestMethod]
    public void What_is_generated_is_reported_as_it_was_shown()
    {
        string json = _folder["generate.json"];
        (_, string output, _) = CommandLine.Run(
            "generate", "--model", _model, "--prompt", "Number 7", "--temperature", "0", "--top-k", "5", "--top-p", "0.9", "--max-new-tokens", "12", "--json", json);
        JsonElement report = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(json));
        Assert.AreEqual(output, report.GetProperty("generated").GetString() + Environment.NewLine);
        Assert.AreEqual("Number 7", report.GetProperty("prompt").GetString());
    }

    [TestMethod]
    [DataRow("nothing.zip", null, "does not exist")]
    [DataRow("broken.zip", "this is no archive", "is not a model that this program can load")]
    public void A_file_that_is_no_model_gets_one_line(string name, string? content, string expected)
    {
        if (content is not null)
            _folder.Write(name, content);
        (int exitCode, _, string error) = CommandLine.Run("generate", "--model", _folder[name], "--prompt", "a");
        Assert.AreEqual(2, exitCode, error);
        StringAssert.Contains(error, name);
        StringAssert.Contains(error, expected);
        Assert.HasCount(1, error.TrimEnd().Split('\n'));
    }
}
