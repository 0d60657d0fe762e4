using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Hostile;

/// <summary>A disk that is full: the system lets the process write so many bytes into a file and no more.</summary>
[TestClass]
[TestCategory("Hostile")]
[OSCondition(ConditionMode.Exclude, OperatingSystems.Windows)]
public sealed class FullDiskTests
{
    // model.zip takes about 30,000 bytes, a checkpoint's tensors about 60,000.
    private const string EnoughForNothing = "4000", EnoughForTheModel = "45000";

    [TestMethod]
    public void A_model_that_cannot_be_written_is_one_line_and_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        (int exitCode, string output) = Train(folder, EnoughForNothing);

        Assert.AreEqual(1, exitCode, output);
        string[] lines = output.TrimEnd().Split('\n');
        StringAssert.StartsWith(lines[^1], $"The trained model cannot be written to {folder["out"]}: ");
        Assert.DoesNotContain("   at ", output);
        CollectionAssert.AreEqual(new[] { "rows.jsonl" }, folder.Names);
    }

    [TestMethod]
    public void Reports_and_checkpoints_that_cannot_be_written_are_warnings()
    {
        using TemporaryFolder folder = new();
        (int exitCode, string output) = Train(folder, EnoughForTheModel, "--checkpoint", folder["checkpoints"], "--checkpoint-interval", "3");

        Assert.AreEqual(0, exitCode, output);
        StringAssert.Contains(output, "Warning: Not every report can be written");
        StringAssert.Contains(output, folder["checkpoints"]);
        Assert.IsTrue(File.Exists(folder["out/model.zip"]), output);
        CollectionAssert.AreEqual(new[] { "out", "rows.jsonl" }, folder.Names);
    }

    [TestMethod]
    public void An_export_that_cannot_be_written_is_one_line_and_leaves_the_earlier_file()
    {
        using TemporaryFolder folder = new();
        Assert.AreEqual(0, CommandLine.TrainTiny(folder.WritePrompts("rows.jsonl"), folder["out"]).ExitCode);
        string earlier = folder.Write("tiny.gguf", "what was there");
        (int exitCode, string output) = ChildProcess.Run(ChildPrograms.SamplesOnFullDisk, [EnoughForNothing, "export", "--model", folder["out/model.zip"], "--to", "gguf", "--output", earlier]);

        Assert.AreEqual(1, exitCode, output);
        Assert.HasCount(1, output.TrimEnd().Split('\n'), output);
        Assert.AreEqual("what was there", File.ReadAllText(earlier));
        CollectionAssert.AreEqual(new[] { "out", "rows.jsonl", "tiny.gguf" }, folder.Names);
    }

    private static (int ExitCode, string Output) Train(TemporaryFolder folder, string limit, params string[] more) => ChildProcess.Run(
        ChildPrograms.SamplesOnFullDisk, [limit, "train", "--data", folder.WritePrompts("rows.jsonl"), "--output", folder["out"], "--steps", "6",
            "--layers", "1", "--heads", "2", "--width", "16", "--context", "48", .. more]);
}
