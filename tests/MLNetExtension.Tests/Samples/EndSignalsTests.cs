using Samples.Commands;
using Samples.Jobs;
using Samples.Reporting;
using Spectre.Console;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class EndSignalsTests
{
    [TestMethod]
    [TestCategory("Alone")]
    [DoNotParallelize]
    public void A_cancelled_training_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource source = new(TimeSpan.FromMilliseconds(300));

        Assert.ThrowsExactly<OperationCanceledException>(() => CreateJob(folder, Nowhere, source.Token).Run());

        CollectionAssert.AreEqual(new[] { "rows.jsonl" }, folder.Names);
    }

    [TestMethod]
    public void A_stopped_training_keeps_the_model_so_far()
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource stop = new();
        // The first line of a training's progress comes with its first step.
        using StoppingWriter output = new("step 1 ", stop);
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });

        TrainReport report = CreateJob(folder, console, CancellationToken.None, stop.Token).Run()!;

        Assert.AreEqual(1, report.Steps);
        CollectionAssert.AreEqual(new[] { "out", "rows.jsonl" }, folder.Names);
        Assert.IsTrue(File.Exists(Path.Combine(folder["out"], "model.zip")));
        StringAssert.Contains(output.ToString(), "the model so far is saved and evaluated");
    }

    [TestMethod]
    public void A_training_that_is_stopped_before_its_first_step_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        Assert.ThrowsExactly<OperationCanceledException>(() => CreateJob(folder, Nowhere, CancellationToken.None, new CancellationToken(canceled: true)).Run());
        CollectionAssert.AreEqual(new[] { "rows.jsonl" }, folder.Names);
    }

    [TestMethod]
    public void The_first_signal_stops_a_command_that_can_stop_and_the_second_cancels_it()
    {
        using EndSignals stopping = new(canStop: true), plain = new();
        stopping.Receive();
        Assert.AreEqual((true, false), (stopping.StopToken.IsCancellationRequested, stopping.CancellationToken.IsCancellationRequested));
        stopping.Receive();
        Assert.IsTrue(stopping.CancellationToken.IsCancellationRequested);
        plain.Receive();
        Assert.AreEqual((false, true), (plain.StopToken.IsCancellationRequested, plain.CancellationToken.IsCancellationRequested));
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

    private static TrainingJob CreateJob(TemporaryFolder folder, IAnsiConsole console, CancellationToken cancellationToken, CancellationToken stopToken = default)
    {
        var recipe = new FromScratchRecipe { Network = new() { Layers = 1, Heads = 1, Width = 8, ContextLength = 32 } };
        recipe.Settings.DataFile = folder.WritePrompts("rows.jsonl");
        recipe.Settings.OutputFolder = folder["out"];
        recipe.Settings.EvaluationRows = 10;
        recipe.Settings.Options.MaximumSteps = 1_000_000;
        recipe.Settings.Options.Batching = new() { MaximumTokensPerMicroBatch = 2048 };
        return new TrainingJob(recipe, console, cancellationToken, stopToken);
    }
}
