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
    public void Questions_and_whole_texts_are_measured_and_reported()
    {
        string questions = _folder.Write("questions.jsonl", string.Concat(Enumerable.Range(0, 9).Select(i => $$"""{"question": "Number {{i}}", "options": ["a", "bc", "def"], "answer": {{i % 3}}}""" + "\n")));
        string text = _folder.Write("long.txt", string.Concat(Enumerable.Range(0, 30).Select(i => $"Line {i} of one text\n"))), json = _folder["both.json"];
        (int exitCode, string output, string error) = CommandLine.Run("evaluate", "--model", _model, "--multiple-choice", questions, "--data", text, "--stride", "16", "--json", json);

        Assert.AreEqual((0, ""), (exitCode, error));
        JsonElement report = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(json)), choice = report.GetProperty("multipleChoice");
        Assert.AreEqual((1, new FileInfo(text).Length + 1), (report.GetProperty("metrics").GetProperty("rows").GetInt64(), report.GetProperty("metrics").GetProperty("tokens").GetInt64()), "one text, of bytes, and its end");
        Assert.AreEqual(16, report.GetProperty("stride").GetInt32());
        Assert.AreEqual(9, choice.GetProperty("rows").GetInt64());
        double accuracy = choice.GetProperty("accuracy").GetDouble();
        Assert.AreEqual(Math.Sqrt(accuracy * (1 - accuracy) / 8), choice.GetProperty("accuracyStandardError").GetDouble(), 1e-12);
        Assert.Contains("accuracy per character", output);
        Assert.Contains(accuracy.ToString("0.0 %", System.Globalization.CultureInfo.InvariantCulture), output);
    }

    [TestMethod]
    [DataRow("""{"question": "q", "options": ["a"], "answer": 1}""", "row 2 has the answer 1; expected is the index of an option, from 0 to 0")]
    [DataRow("""{"question": "q", "options": ["a"], "answer": "a"}""", "row 2 has the answer \"a\"; expected is the index of an option")]
    [DataRow("""{"question": "q", "options": ["a"]}""", "row 2 has no 'answer'; expected is the index of an option")]
    [DataRow("""{"question": "q", "options": [], "answer": 0}""", "row 2 has no list of texts in 'options'")]
    [DataRow("""{"question": "q", "options": ["a", ""], "answer": 0}""", "row 2 has an empty text in 'options'")]
    [DataRow("""{"question": "q", "options": ["a", 2], "answer": 0}""", "row 2 has a number in 'options' where text is expected")]
    [DataRow("""{"options": ["a"], "answer": 0}""", "row 2 has no 'question'")]
    [DataRow("""["q"]""", "row 2 is a JSON array")]
    public void A_question_that_cannot_be_used_gets_one_line(string row, string expected)
    {
        string file = _folder.Write("bad.jsonl", """{"question": "q", "options": ["a"], "answer": 0}""" + "\n" + row + "\n");
        (int exitCode, _, string error) = CommandLine.Run("evaluate", "--model", _model, "--multiple-choice", file);
        Assert.AreEqual(2, exitCode);
        Assert.Contains(expected, error);
        Assert.HasCount(1, error.TrimEnd().Split('\n'));
    }

    [TestMethod]
    [DataRow("evaluate needs --data, --multiple-choice or both")]
    [DataRow("--stride needs --data", "--multiple-choice", "x.jsonl", "--stride", "4")]
    [DataRow("stride is 49; allowed is from 1 to 48", "--data", "TEXT", "--stride", "49")]
    [DataRow("--stride measures texts", "--data", "PROMPTS", "--stride", "4")]
    public void Options_of_an_evaluation_that_do_not_go_together_are_refused(string expected, params string[] options)
    {
        string text = _folder.Write("short.txt", "one\ntwo\n");
        (int exitCode, _, string error) = CommandLine.Run(["evaluate", "--model", _model, .. options.Select(option => option == "TEXT" ? text : option == "PROMPTS" ? _prompts : option)]);
        Assert.AreEqual(2, exitCode, error);
        Assert.Contains(expected, error);
    }

    [TestMethod]
    public void A_published_model_is_measured_without_being_trained()
    {
        string text = _folder.Write("published.txt", "one\ntwo\n");
        (int exitCode, string output, string error) = CommandLine.Run("evaluate", "--model", PublishedModel.Write(_folder["published"]), "--data", text);
        Assert.AreEqual((0, ""), (exitCode, error));
        Assert.Contains("bits per byte", output);
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
