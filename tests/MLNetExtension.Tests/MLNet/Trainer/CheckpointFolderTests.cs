using Microsoft.ML;
using MLNetExtension.Tests.Samples;
using static MLNetExtension.Tests.MLNet.Tiny;
using static MLNetExtension.Tests.MLNet.Trainer.CheckpointRuns;

namespace MLNetExtension.Tests.MLNet.Trainer;

[TestClass]
public sealed class CheckpointFolderTests
{
    [TestMethod]
    public void Fit_goes_on_from_the_newest_checkpoint_of_the_same_training()
    {
        using TemporaryFolder folder = new();
        using var whole = Train(new MLContext(seed: 1), Resumable(null));

        var dying = Resumable(folder["checkpoints"]);
        dying.Progress = new Tiny.Progress(step => { if (step.Step == 7) throw new TimeoutException(); });
        Assert.ThrowsExactly<TimeoutException>(() => Train(new MLContext(seed: 1), dying));
        var mlContext = new MLContext(seed: 1);
        List<string> lines = Tiny.LogOf(mlContext);
        using var resumed = Train(mlContext, Resumable(folder["checkpoints"]));

        Assert.AreEqual(4, resumed.Training!.Steps);
        Assert.ContainsSingle(line => line.Contains("Training resumes after step 6") && line.Contains(folder["checkpoints"]), lines);
        CollectionAssert.AreEqual(LossesOf(whole), LossesOf(resumed));
    }

    // Seen to fail with: a hash over the lengths of the rows alone.
    [TestMethod]
    public void Other_options_and_other_data_are_refused_and_other_column_names_are_not()
    {
        using TemporaryFolder folder = new();
        Train(new MLContext(seed: 1), Resumable(folder.Path)).Dispose();

        Refused(options => options.LearningRate = 1e-3, Texts, "LearningRate is 0.003 there and 0.001 here");
        Refused(options => options.Seed = 6, Texts, "Seed is 5 there and 6 here");
        Refused(_ => { }, ["The quick brown fix.", .. Texts[1..]], "the training data is");
        Refused(options => options.Validation = new() { Rows = Rows(new MLContext(), "x") }, Texts, "the validation data is none there");

        var renamed = Resumable(folder.Path);
        (renamed.Outputs, renamed.ReportInterval) = (new() { LossSum = "Nats" }, 3);
        using var model = Train(new MLContext(seed: 1), renamed);
        Assert.AreEqual(0, model.Training!.Steps, "the end has a checkpoint of its own");

        void Refused(Action<CausalLanguageModelTrainer.Options> change, string[] texts, string expected)
        {
            var mlContext = new MLContext(seed: 1);
            var options = Resumable(folder.Path);
            change(options);
            var error = Assert.ThrowsExactly<InvalidOperationException>(() => mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(Rows(mlContext, texts)));
            Assert.Contains(expected, error.Message);
        }
    }

    // Seen to fail with: no checkpoint at the end, but where one is due.
    [TestMethod]
    public void A_finished_training_is_extended_by_a_later_limit()
    {
        using TemporaryFolder folder = new();
        Train(new MLContext(seed: 1), Resumable(folder.Path)).Dispose();
        var mlContext = new MLContext(seed: 1);
        List<string> lines = LogOf(mlContext);
        var extended = Resumable(folder.Path);
        (extended.MaximumSteps, extended.MaximumEpochs, extended.MaximumDuration) = (20, 100, TimeSpan.FromHours(1));
        List<(int Step, double LearningRate)> steps = [];
        extended.Progress = new Tiny.Progress(step => steps.Add((step.Step, step.LearningRate)));
        using var model = Train(mlContext, extended);

        Assert.AreEqual(10, model.Training!.Steps);
        Assert.ContainsSingle(line => line.Contains("Training resumes after step 10"), lines);
        // What the documentation says of the schedule: the rates are those of a run that had the later limit from the beginning.
        List<double> whole = [];
        var uninterrupted = Resumable(null);
        (uninterrupted.MaximumSteps, uninterrupted.Progress) = (20, new Tiny.Progress(step => whole.Add(step.LearningRate)));
        Train(new MLContext(seed: 1), uninterrupted).Dispose();
        CollectionAssert.AreEqual(whole.Select((rate, i) => (i + 1, rate)).Skip(10).ToArray(), steps);
    }

    [TestMethod]
    public void Where_a_training_writes_is_not_saved_with_its_model()
    {
        using TemporaryFolder folder = new();
        var mlContext = new MLContext(seed: 1);
        using var model = Train(mlContext, Resumable(folder["checkpoints"]));
        mlContext.Model.Save(model, null, folder["model.zip"]);

        using var archive = System.IO.Compression.ZipFile.OpenRead(folder["model.zip"]);
        using var reader = new StreamReader(archive.Entries.Single(entry => entry.FullName.EndsWith("options.json", StringComparison.Ordinal)).Open());
        Assert.DoesNotContain("checkpoint", reader.ReadToEnd(), StringComparison.OrdinalIgnoreCase);
    }
}
