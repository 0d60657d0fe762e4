using System.Globalization;
using System.Text.Json;
using MLNetExtension.Tests.Hostile;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Training.Ranks;

/// <summary>Trainings in processes that MPI connects.</summary>
[TestClass]
[TestCategory("Alone")]
public sealed class MpiTrainingTests
{
    private static readonly Lazy<double[]> Alone = new(() => RankedTraining.Losses(null, null));

    [TestMethod]
    [DataRow(Mpi.OpenMpi, 2)]
    [DataRow(Mpi.OpenMpi, 4)]
    [DataRow(Mpi.Mpich, 3)]
    public void Fit_in_several_processes_is_fit_in_one(Mpi mpi, int size)
    {
        MpiRun.MpiResult result = new MpiRun(mpi, size).Run(ChildPrograms.Ranks, RankPrograms.Training);

        Assert.AreEqual(0, result.ExitCode, result.Output);
        AssertIsAlone(result.Said[0]);
        foreach (string said in result.Said)
            Assert.AreEqual(result.Said[0], said);
    }

    // 2 ranks, of which the second dies, then 3, of which the first dies, then 1 to the end.
    [TestMethod]
    [DataRow(Mpi.OpenMpi)]
    [DataRow(Mpi.Mpich)]
    public void A_rank_that_is_killed_ends_all_and_the_training_resumes_with_another_number_of_ranks(Mpi mpi)
    {
        using TemporaryFolder folder = new();
        foreach ((int size, string rank, string step) in new[] { (2, "1", "4"), (3, "0", "8") })
        {
            MpiRun.MpiResult killed = new MpiRun(mpi, size).Run(ChildPrograms.Ranks, RankPrograms.Training, folder["checkpoints"], rank, step);
            // The launcher of MPICH 4.2.1 may say that all is well; nobody has trained to the end all the same.
            if (mpi == Mpi.OpenMpi)
                Assert.AreNotEqual(0, killed.ExitCode, killed.Output);
            Assert.IsTrue(killed.Said.All(said => said.Length == 0), killed.Output);
            Assert.IsLessThan(TimeSpan.FromSeconds(60), killed.Time);
        }
        MpiRun.MpiResult resumed = new MpiRun(mpi, 1).Run(ChildPrograms.Ranks, RankPrograms.Training, folder["checkpoints"]);
        Assert.AreEqual(0, resumed.ExitCode, resumed.Output);
        AssertIsAlone(resumed.Said[0]);
    }

    [TestMethod]
    public void The_command_trains_on_ranks_and_writes_once_what_one_process_writes()
    {
        using TemporaryFolder folder = new();
        string rows = folder.WritePrompts("rows.jsonl");
        MpiRun.MpiResult result = new MpiRun(Mpi.OpenMpi, 2).Run(ChildPrograms.SamplesCommand, [.. Command(rows, folder["together"]), "--ranks", "mpi"]);
        Assert.AreEqual(0, result.ExitCode, result.Output);
        Assert.AreEqual(1, result.Output.Split("Written to").Length - 1, result.Output);
        (int exitCode, string output) = ChildProcess.Run(ChildPrograms.SamplesCommand, Command(rows, folder["alone"]));
        Assert.AreEqual(0, exitCode, output);

        Assert.AreEqual(Loss("alone"), Loss("together"), 1e-4 * Loss("alone"));
        CollectionAssert.AreEqual(Files("alone"), Files("together"));

        static string[] Command(string data, string output) =>
            ["train", "--data", data, "--output", output, "--steps", "6", "--layers", "1", "--heads", "2", "--width", "16", "--context", "64", "--micro-batch-tokens", "128"];

        double Loss(string run)
        {
            using JsonDocument metrics = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder[run], "metrics.json")));
            return metrics.RootElement.GetProperty("after").GetProperty("loss").GetDouble();
        }

        string[] Files(string run) => [.. Directory.GetFiles(folder[run]).Select(path => Path.GetFileName(path).Split('.')[0]).Order(StringComparer.Ordinal)];
    }

    [TestMethod]
    public void A_comparison_has_a_run_on_the_ranks_for_each_on_one()
    {
        using TemporaryFolder folder = new();
        string rows = folder.WritePrompts("rows.jsonl");
        string[] command =
        [
            "compare-accumulation", "--data", rows, "--output", folder["out"], "--json", folder["report.json"], "--ranks", "mpi",
            "--splits", "1x8,4x2", "--normalizations", "Token,MicroBatchMean", "--steps", "3", "--layers", "1", "--heads", "2", "--width", "16", "--context", "64",
        ];
        MpiRun.MpiResult result = new MpiRun(Mpi.OpenMpi, 3).Run(ChildPrograms.SamplesCommand, command);

        Assert.AreEqual(0, result.ExitCode, result.Output);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllText(folder["report.json"]));
        JsonElement[] runs = [.. report.RootElement.EnumerateArray()];
        CollectionAssert.AreEqual(
            new[] { "Token 1x8 1", "Token 1x8 3", "Token 4x2 1", "Token 4x2 3", "MicroBatchMean 1x8 1", "MicroBatchMean 1x8 3", "MicroBatchMean 4x2 1", "MicroBatchMean 4x2 3" },
            runs.Select(run => $"{run.GetProperty("normalization").GetString()} {run.GetProperty("cut").GetString()} {run.GetProperty("ranks").GetInt32()}").ToArray());
        foreach (JsonElement exact in runs[..4])
            Assert.IsLessThan(1e-12, exact.GetProperty("weightDistance").GetDouble());
        Assert.IsGreaterThan(1e-3, runs[7].GetProperty("gradientRelativeError").GetDouble(), "a mean of means is as wrong on ranks");
    }

    private static void AssertIsAlone(string said)
    {
        double[] losses = [.. said.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(loss => double.Parse(loss, CultureInfo.InvariantCulture))];
        Assert.HasCount(Alone.Value.Length, losses);
        for (int i = 0; i < losses.Length; i++)
            Assert.AreEqual(Alone.Value[i], losses[i], 1e-5 * Alone.Value[i]);
    }
}
