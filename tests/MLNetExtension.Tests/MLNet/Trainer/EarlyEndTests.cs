using Microsoft.ML;
using MLNetExtension.Training.Reports;
using static MLNetExtension.Tests.MLNet.Tiny;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>A request to cancel or to stop that comes while rows are read.</summary>
[TestClass]
public sealed class EarlyEndTests
{
    // Seen to fail with: no token looked at (100 rows read). The cursor is a row ahead at most.
    [TestMethod]
    [DataRow(true, false)]
    [DataRow(false, false)]
    [DataRow(true, true)]
    [DataRow(false, true)]
    public void Reading_rows_ends_with_the_row(bool cancel, bool validation)
    {
        var mlContext = new MLContext(seed: 1);
        using var source = new CancellationTokenSource();
        int read = 0;
        var interrupted = mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, 100).Select(i =>
        {
            if (++read == 3)
                source.Cancel();
            return new Row { Text = $"row {i}" };
        }));
        List<string> lines = LogOf(mlContext);
        var options = Options(steps: 50);
        options.CancellationToken = cancel ? source.Token : default;
        options.StopToken = cancel ? default : source.Token;
        options.Checkpoints = new() { Folder = Path.Combine(Path.GetTempPath(), "never-made-" + Path.GetRandomFileName()) };
        options.Validation = validation ? new() { Rows = interrupted } : null;
        var trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);
        var data = validation ? Rows(mlContext, Texts) : interrupted;

        if (cancel)
        {
            Assert.ThrowsExactly<OperationCanceledException>(() => trainer.Fit(data));
        }
        else
        {
            using var model = trainer.Fit(data);
            Assert.AreEqual((StopReason.Requested, 0), (model.Training!.End, model.Training.Steps));
            Assert.ContainsSingle(line => line.Contains("stopped as requested, while rows were read; the model is as it was initialized"), lines);
            Assert.AreEqual(Math.Log(257), mlContext.CausalLanguageModeling.Evaluate(model.Transform(Rows(mlContext, Texts))).Loss, 0.3, "a model that was not trained, and works");
        }
        Assert.IsLessThanOrEqualTo(4, read);
        Assert.IsFalse(Directory.Exists(options.Checkpoints.Folder));
    }
}
