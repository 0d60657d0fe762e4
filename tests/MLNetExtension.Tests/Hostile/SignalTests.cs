using System.Runtime.InteropServices;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Hostile;

/// <summary>Trainings that are asked to end from outside: the container stops (SIGTERM), the terminal is closed (SIGHUP), Ctrl+C (SIGINT).</summary>
[TestClass]
[TestCategory("Hostile")]
[OSCondition(ConditionMode.Exclude, OperatingSystems.Windows)]
public sealed class SignalTests
{
    [TestMethod]
    [DataRow(PosixSignal.SIGTERM)]
    [DataRow(PosixSignal.SIGHUP)]
    [DataRow(PosixSignal.SIGINT)]
    public void A_signal_ends_a_training_in_order_and_the_same_command_resumes_it(PosixSignal signal)
    {
        using TemporaryFolder folder = new();
        string[] command = ["train", "--data", folder.WritePrompts("rows.jsonl"), "--output", folder["out"], "--checkpoint", folder["checkpoints"],
            "--layers", "1", "--heads", "2", "--width", "16", "--context", "48", "--micro-batch-tokens", "2048"];
        using ChildProcess training = ChildProcess.Start(ChildPrograms.SamplesCommand, [.. command, "--steps", "1000000"]);
        Assert.IsTrue(training.WaitFor("step 1 "), training.Output);

        training.Signal(signal);

        Assert.AreEqual(0, training.WaitForExit(), training.Output);
        StringAssert.Contains(training.Output, "the model so far is saved and evaluated");
        CollectionAssert.AreEqual(new[] { "checkpoints", "out", "rows.jsonl" }, folder.Names);
        Assert.IsTrue(File.Exists(folder["out/model.zip"]) && File.Exists(folder["out/metrics.json"]));
        (int exitCode, string output) = ChildProcess.Run(ChildPrograms.SamplesCommand, [.. command, "--steps", "1000000", "--minutes", "0.001"]);
        Assert.AreEqual(0, exitCode, output);
        StringAssert.Contains(output, "Training resumes after step");
    }

    [TestMethod]
    public void A_second_signal_cancels_and_leaves_nothing_but_the_checkpoint()
    {
        using TemporaryFolder folder = new();
        using ChildProcess training = ChildProcess.Start(ChildPrograms.SamplesCommand, "train", "--data", folder.WritePrompts("rows.jsonl"), "--output", folder["out"],
            "--layers", "1", "--heads", "2", "--width", "16", "--context", "48", "--steps", "1000000", "--batch-size", "100000");
        Assert.IsTrue(training.WaitFor("Before:"), training.Output);

        training.Signal(PosixSignal.SIGTERM);
        training.Signal(PosixSignal.SIGHUP);

        int exitCode = training.WaitForExit();
        // Where both came between two steps, the training had ended in order by the time of the second.
        Assert.IsTrue(exitCode is 130 || (exitCode == 0 && File.Exists(folder["out/model.zip"])), training.Output);
        CollectionAssert.IsSubsetOf(folder.Names, new[] { "out", "rows.jsonl" });
    }

    [TestMethod]
    public void A_signal_ends_a_server_in_order()
    {
        using TemporaryFolder folder = new();
        using ChildProcess server = ChildProcess.Start(ChildPrograms.SamplesCommand, "serve", "--model", PublishedModel.Write(folder["model"]), "--port", "0", "--json", folder["report.json"]);
        Assert.IsTrue(server.WaitFor("Ctrl+C ends it."), server.Output);

        server.Signal(PosixSignal.SIGINT);

        Assert.AreEqual(0, server.WaitForExit(), server.Output);
        StringAssert.Contains(server.Output, "Ended after 0 requests and 0 tokens.");
        StringAssert.Contains(File.ReadAllText(folder["report.json"]), "http://127.0.0.1:");
    }
}
