using Microsoft.ML;
using MLNetExtension.Tests.Samples;
using static MLNetExtension.Tests.MLNet.Tiny;
using static MLNetExtension.Tests.MLNet.Trainer.CheckpointRuns;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>Folders of checkpoints that two trainings want, that cannot be used or not be written, and a context without a seed.</summary>
[TestClass]
public sealed class CheckpointFaultTests
{
    // Seen to fail without a lock: the second training read its rows and took the first's checkpoints for its own.
    [TestMethod]
    public void A_second_training_in_the_folder_is_refused_before_its_rows_are_read_and_the_first_goes_on()
    {
        using TemporaryFolder folder = new();
        var first = Resumable(folder.Path);
        Exception? refusal = null;
        int read = 0;
        first.Progress = new Tiny.Progress(step => refusal = step.Step == 5 ? Refusal(folder.Path, () => read++) : refusal);
        using var model = Train(new MLContext(seed: 1), first);

        Assert.IsInstanceOfType<IOException>(refusal);
        Assert.Contains(folder.Path, refusal.Message);
        Assert.Contains("another training", refusal.Message);
        Assert.AreEqual(0, read);
        CollectionAssert.AreEqual(new[] { NameOf(9), NameOf(10) }, folder.Names, "nothing but the first's checkpoints is left");
        using var third = Train(new MLContext(seed: 1), Resumable(folder.Path));
        Assert.AreEqual(0, third.Training!.Steps, "the folder is free when Fit has ended");
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void A_training_that_ends_by_an_exception_or_is_cancelled_frees_the_folder(bool cancel)
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource source = new();
        var options = Resumable(folder.Path);
        options.CancellationToken = source.Token;
        options.Progress = new Tiny.Progress(step =>
        {
            if (step.Step != 4)
                return;
            if (!cancel)
                throw new TimeoutException();
            source.Cancel();
        });
        Assert.Throws<Exception>(() => Train(new MLContext(seed: 1), options));
        CollectionAssert.AreEqual(new[] { NameOf(3) }, folder.Names);
        using var resumed = Train(new MLContext(seed: 1), Resumable(folder.Path));
        Assert.AreEqual(7, resumed.Training!.Steps);
    }

    // What a process that was killed leaves: its lock, which the system has freed, and what it was writing.
    [TestMethod]
    public void What_a_killed_training_left_is_removed_when_the_folder_is_opened()
    {
        using TemporaryFolder folder = new();
        folder.Write("training.lock", "");
        Directory.CreateDirectory(folder["step-0000000003.partial"]);
        folder.Write("step-0000000003.partial/tensors.safetensors", "part");
        Directory.CreateDirectory(folder["step-0000000006.partial.replaced"]);
        folder.Write("notes.txt", "mine");
        var options = Resumable(folder.Path);
        string[] found = [];
        options.Progress = new Tiny.Progress(step => found = step.Step == 1 ? folder.Names : found);
        Train(new MLContext(seed: 1), options).Dispose();
        CollectionAssert.AreEqual(new[] { "notes.txt", "training.lock" }, found, "before the first checkpoint is written");
        CollectionAssert.AreEqual(new[] { "notes.txt", NameOf(9), NameOf(10) }, folder.Names);
    }

    // Seen to fail with: all but the newest two deleted, whoever wrote them.
    [TestMethod]
    public void Checkpoints_of_another_training_are_neither_deleted_nor_overwritten()
    {
        using TemporaryFolder folder = new(), other = new();
        var others = Resumable(other.Path);
        others.Seed = 77;
        Train(new MLContext(seed: 1), others).Dispose();
        var options = Resumable(folder.Path);
        List<string> lines = [];
        options.Progress = new Tiny.Progress(step =>
        {
            if (step.Step != 4)
                return;
            Copy(other[NameOf(10)], folder[NameOf(1)]);
            Copy(other[NameOf(10)], folder[NameOf(2)]);
            Copy(other[NameOf(9)], folder[NameOf(9)]);
        });
        var mlContext = new MLContext(seed: 1);
        lines = LogOf(mlContext);
        Train(mlContext, options).Dispose();
        CollectionAssert.AreEqual(new[] { NameOf(1), NameOf(2), NameOf(6), NameOf(9), NameOf(10) }, folder.Names);
        CollectionAssert.AreEqual(File.ReadAllBytes(PathOf(other, 9, "state.json")), File.ReadAllBytes(PathOf(folder, 9, "state.json")));
        Assert.ContainsSingle(line => line.Contains("after step 9 cannot be written") && line.Contains("another training"), lines);
    }

    // Seen to fail with: the folder made with the first checkpoint, three steps later.
    [TestMethod]
    [DataRow("a file")]
    [DataRow("beneath a file")]
    [DataRow("a name too long")]
    public void A_folder_that_cannot_be_used_is_found_before_rows_are_read(string kind)
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("file", "mine");
        string unusable = kind switch { "a file" => file, "beneath a file" => Path.Combine(file, "checkpoints"), _ => folder[new string('x', 300)] };
        AssertUnusable(unusable);
        Assert.AreEqual("mine", File.ReadAllText(file));
    }

    // File systems that nobody may write to, not even root.
    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    [DataRow("/proc")]
    [DataRow("/proc/x")]
    [DataRow("/sys")]
    [DataRow("/dev/null")]
    public void A_folder_that_cannot_be_written_is_found_before_rows_are_read(string folder) => AssertUnusable(folder);

    [TestMethod]
    [DataRow("")]
    [DataRow("  ")]
    [DataRow("a\0b")]
    public void A_name_that_no_folder_can_have_is_refused_with_the_options(string folder)
    {
        var error = Assert.Throws<ArgumentException>(() => new MLContext(seed: 1).CausalLanguageModeling.Trainers.CausalLanguageModel(Resumable(folder)));
        Assert.Contains("Checkpoints.Folder", error.Message);
        Assert.DoesNotContain("\0", error.Message);
    }

    // A file where the checkpoint is to be written stops it on every system, as a full disk does.
    // Seen to fail with: the exception of the write, and the model lost.
    [TestMethod]
    public void A_checkpoint_that_cannot_be_written_is_a_warning_and_training_goes_on()
    {
        using TemporaryFolder folder = new();
        foreach (int step in (int[])[3, 6, 10])
            folder.Write(NameOf(step) + ".partial", "in the way");
        var mlContext = new MLContext(seed: 1);
        List<string> warnings = WarningsOf(mlContext);
        using var model = Train(mlContext, Resumable(folder.Path));

        foreach (int step in (int[])[3, 6, 10])
            Assert.ContainsSingle(line => line.Contains($"after step {step} cannot be written") && line.Contains(folder.Path) && line.Contains(NameOf(step) + ".partial"), warnings);
        Assert.HasCount(3, warnings);
        Assert.AreEqual(10, model.Training!.Steps);
        CollectionAssert.AreEqual(LossesOfWholeTraining(), LossesOf(model));

        using var resumed = Train(new MLContext(seed: 1), Resumable(folder.Path));
        Assert.AreEqual(1, resumed.Training!.Steps, "the one after step 9 was written");
        CollectionAssert.AreEqual(LossesOf(model), LossesOf(resumed));
    }

    // Its folder is made, and what writes into it fails.
    [TestMethod]
    public void A_write_that_failed_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        folder.Write(NameOf(3), "in the way of the finished checkpoint");
        var options = Resumable(folder.Path);
        string[] found = [];
        options.Progress = new Tiny.Progress(step => found = step.Step == 4 ? folder.Names : found);
        Train(new MLContext(seed: 1), options).Dispose();
        CollectionAssert.AreEqual(new[] { NameOf(3), "training.lock" }, found);
    }

    // Seen to fail with: the first Fit accepted, and the second refused because "Seed is ... there and ... here".
    [TestMethod]
    public void A_context_without_a_seed_is_refused_before_it_trains()
    {
        using TemporaryFolder folder = new();
        var unseeded = Resumable(folder.Path);
        unseeded.Seed = null;
        var error = Assert.Throws<ArgumentException>(() => new MLContext().CausalLanguageModeling.Trainers.CausalLanguageModel(unseeded));
        Assert.Contains("Seed", error.Message);
        Assert.Contains("new MLContext(seed: ", error.Message);

        new MLContext(seed: 0).CausalLanguageModeling.Trainers.CausalLanguageModel(unseeded);
        new MLContext().CausalLanguageModeling.Trainers.CausalLanguageModel(Resumable(folder.Path));
        unseeded.Checkpoints = null;
        new MLContext().CausalLanguageModeling.Trainers.CausalLanguageModel(unseeded);
    }

    private static void AssertUnusable(string folder)
    {
        int read = 0;
        Exception? refusal = Refusal(folder, () => read++);
        Assert.IsInstanceOfType<IOException>(refusal);
        Assert.Contains($"Checkpoints.Folder '{folder}' cannot be used", refusal.Message);
        Assert.AreEqual(0, read);
    }

    private static Exception? Refusal(string folder, Action onRow)
    {
        var mlContext = new MLContext(seed: 1);
        var rows = mlContext.Data.LoadFromEnumerable(Texts.Select(text =>
        {
            onRow();
            return new Row { Text = text };
        }));
        try
        {
            mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(Resumable(folder)).Fit(rows).Dispose();
            return null;
        }
        catch (Exception exception)
        {
            return exception;
        }
    }

    private static List<string> WarningsOf(MLContext mlContext)
    {
        List<string> lines = [];
        mlContext.Log += (_, e) =>
        {
            if (e.Kind == Microsoft.ML.Runtime.ChannelMessageKind.Warning)
                lines.Add(e.Message);
        };
        return lines;
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
