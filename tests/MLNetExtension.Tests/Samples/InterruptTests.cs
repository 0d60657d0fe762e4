using MLNetExtension.Accumulation;
using Samples.Commands;
using Samples.Jobs;
using Samples.Text;
using Spectre.Console;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class InterruptTests
{
    [TestMethod]
    public void A_training_that_is_interrupted_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        var settings = new TrainSettings
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
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(TextWriter.Null) });
        using CancellationTokenSource source = new(TimeSpan.FromMilliseconds(300));

        Assert.ThrowsExactly<OperationCanceledException>(() => new TrainJob(settings, console, source.Token).Run());

        CollectionAssert.AreEqual(new[] { "rows.jsonl" }, folder.Names);
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
}
