using MLNetExtension.Training.Accumulation;
using Samples.Commands;
using Samples.Jobs;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class InterruptTests
{
    [TestMethod]
    [TestCategory("Alone")]
    [DoNotParallelize]
    public void A_training_that_is_broken_off_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource source = new(TimeSpan.FromMilliseconds(300));

        Assert.ThrowsExactly<OperationCanceledException>(() => new TrainJob(Settings(folder), Nowhere, source.Token).Run());

        CollectionAssert.AreEqual(new[] { "rows.jsonl" }, folder.Names);
    }

    [TestMethod]
    public void A_training_that_is_stopped_keeps_what_was_learnt()
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource stop = new();
        // The first line of a training's progress comes with its first step.
        using StoppingWriter output = new("step 1 ", stop);
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });

        TrainReport report = new TrainJob(Settings(folder), console, CancellationToken.None, stop.Token).Run();

        Assert.AreEqual(1, report.Steps);
        CollectionAssert.AreEqual(new[] { "out", "rows.jsonl" }, folder.Names);
        Assert.IsTrue(File.Exists(Path.Combine(folder["out"], "model.zip")));
        StringAssert.Contains(output.ToString(), "what was learnt is evaluated and saved");
    }

    [TestMethod]
    public void A_training_that_is_stopped_before_it_begins_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        Assert.ThrowsExactly<OperationCanceledException>(() => new TrainJob(Settings(folder), Nowhere, CancellationToken.None, new CancellationToken(canceled: true)).Run());
        CollectionAssert.AreEqual(new[] { "rows.jsonl" }, folder.Names);
    }

    [TestMethod]
    public void The_first_Ctrl_C_stops_what_can_stop_and_the_second_breaks_off()
    {
        using Interrupt polite = new(canStop: true), plain = new();
        polite.Press();
        Assert.AreEqual((true, false), (polite.StopToken.IsCancellationRequested, polite.Token.IsCancellationRequested));
        polite.Press();
        Assert.IsTrue(polite.Token.IsCancellationRequested);
        plain.Press();
        Assert.AreEqual((false, true), (plain.StopToken.IsCancellationRequested, plain.Token.IsCancellationRequested));
    }

    [TestMethod]
    [DataRow("cpu", true, null)]
    [DataRow("cuda", true, 0)]
    [DataRow("cuda:3", true, 3)]
    [DataRow("cuda:", false, null)]
    [DataRow("cuda:-1", false, null)]
    [DataRow("gpu", false, null)]
    public void Devices_are_named_as_torch_names_them(string text, bool known, int? index) =>
        Assert.AreEqual(known ? new DeviceChoice(index) : (DeviceChoice?)null, DeviceChoice.TryParse(text));

    private static IAnsiConsole Nowhere => AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(TextWriter.Null) });

    private static TrainSettings Settings(TemporaryFolder folder) => new()
    {
        DataFile = folder.WritePrompts("rows.jsonl"),
        Columns = new RowColumns(),
        Minutes = null,
        Steps = 1_000_000,
        BatchSize = 8,
        MicroBatchTokens = 2048,
        LossNormalization = LossNormalization.Token,
        Device = new DeviceChoice(null),
        Seed = 1,
        Layers = 1,
        Heads = 1,
        Width = 8,
        Context = 32,
        LearningRate = 1e-3,
        EvaluationRows = 10,
        OutputFolder = folder["out"],
    };
}
