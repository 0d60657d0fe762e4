using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using MLNetExtension.Tests.Hostile;
using MLNetExtension.Training;
using MLNetExtension.Training.Ranks.Mpi;

namespace MLNetExtension.Tests.Training.Ranks;

/// <summary>Processes that MPI connects, under each MPI that is installed. They start processes that wait for one another, so they run apart from the tests that need the processors.</summary>
[TestClass]
[TestCategory("Alone")]
public sealed partial class MpiRankGroupTests
{
    // The launcher itself takes a second or two to end what it started.
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    // Seen to fail with: MPI_IN_PLACE at a root other than rank 0 (MPICH 4.0.2 dies of it), pieces that begin one element late, calls that are not compared
    // (the ranks hang), and UCX_ERROR_SIGNALS left as UCX has it (with MPICH, the null reference kills the process).
    [TestMethod]
    [DataRow(Mpi.OpenMpi, 2)]
    [DataRow(Mpi.OpenMpi, 3)]
    [DataRow(Mpi.OpenMpi, 4)]
    [DataRow(Mpi.Mpich, 2)]
    [DataRow(Mpi.Mpich, 3)]
    [DataRow(Mpi.Mpich, 4)]
    public void Exchanges_are_right_equal_on_all_ranks_and_checked(Mpi mpi, int size)
    {
        MpiRun.MpiResult result = new MpiRun(mpi, size).Run(ChildPrograms.Ranks, RankPrograms.Exchanges);

        Assert.AreEqual(0, result.ExitCode, result.Output);
        string others = size switch { 2 => "rank 0 sums", 3 => "ranks 0 and 2 sum", _ => "ranks 0, 2 and 3 sum" };
        for (int rank = 0; rank < size; rank++)
        {
            StringAssert.Contains(result.Said[rank], "All exchanges are right.");
            StringAssert.Contains(result.Said[rank], $"{others} 200 elements of float32, while rank 1 broadcasts 100 elements of float32 from rank 0: every rank must make the same calls, in the same order.");
        }
    }

    [TestMethod]
    [DataRow(Mpi.OpenMpi, "libmpi.so.40")]
    [DataRow(Mpi.Mpich, "libmpich.so.12")]
    public void Without_a_launcher_a_process_is_a_group_of_one(Mpi mpi, string library)
    {
        MpiRun.Require(mpi);
        (int exitCode, string output) = RunAlone(library, RankPrograms.Exchanges);
        Assert.AreEqual(0, exitCode, output);
        StringAssert.Contains(output, "All exchanges are right.");
    }

    [TestMethod]
    [DataRow(Mpi.OpenMpi, "libmpi.so.40")]
    [DataRow(Mpi.Mpich, "libmpich.so.12")]
    public void One_alone_keeps_its_exit_code(Mpi mpi, string library)
    {
        MpiRun.Require(mpi);
        (int exitCode, string output) = RunAlone(library, RankPrograms.End, "return 3");
        Assert.AreEqual(3, exitCode, output);
    }

    // A rank that fails, dies, or ends with success in the middle of the work. Seen to fail without the watch over the process's end: MPICH's launcher
    // then reports success for a rank that has ended in the middle, and under neither MPI does anyone say which rank it was.
    [TestMethod]
    [DataRow(Mpi.OpenMpi, "throw", "Rank 1: Unhandled exception. System.InvalidOperationException: This rank has failed.")]
    [DataRow(Mpi.OpenMpi, "exit 3", "Rank 1: The process ends with exit code 3, and the others with it.")]
    [DataRow(Mpi.OpenMpi, "return 0", "rank 0 sums 10 elements of float32, while rank 1 ends")]
    [DataRow(Mpi.OpenMpi, "exit 0 unseen", "Rank 1: The process has ended too early: rank 0 sums 10 elements of float32, while rank 1 ends")]
    [DataRow(Mpi.OpenMpi, "kill", "")]
    [DataRow(Mpi.OpenMpi, "abort", "Rank 1: given up")]
    [DataRow(Mpi.Mpich, "throw", "Rank 1: Unhandled exception. System.InvalidOperationException: This rank has failed.")]
    [DataRow(Mpi.Mpich, "exit 3", "Rank 1: The process ends with exit code 3, and the others with it.")]
    [DataRow(Mpi.Mpich, "return 0", "rank 0 sums 10 elements of float32, while rank 1 ends")]
    [DataRow(Mpi.Mpich, "exit 0 unseen", "Rank 1: The process has ended too early: rank 0 sums 10 elements of float32, while rank 1 ends")]
    [DataRow(Mpi.Mpich, "kill", "")]
    [DataRow(Mpi.Mpich, "abort", "Rank 1: given up")]
    public void A_rank_that_ends_in_the_middle_ends_all_and_the_launcher_says_so(Mpi mpi, string how, string says)
    {
        MpiRun.MpiResult result = new MpiRun(mpi, 2).Run(ChildPrograms.Ranks, RankPrograms.End, how);

        Assert.AreNotEqual(0, result.ExitCode, result.Output);
        Assert.IsLessThan(Soon, result.Time);
        StringAssert.Contains(result.Output, says);
        int[] processes = [.. result.Said.Select(number => int.Parse(number, CultureInfo.InvariantCulture))];
        Assert.IsTrue(SpinWait.SpinUntil(() => !processes.Any(IsRunning), Soon), "A rank is still there.");
    }

    [TestMethod]
    [DataRow(Mpi.OpenMpi)]
    [DataRow(Mpi.Mpich)]
    public void Ranks_that_end_one_after_the_other_end_well(Mpi mpi)
    {
        MpiRun.MpiResult result = new MpiRun(mpi, 3).Run(ChildPrograms.Ranks, RankPrograms.Place);
        Assert.AreEqual(0, result.ExitCode, result.Output);
        for (int rank = 0; rank < 3; rank++)
            StringAssert.Contains(result.Said[rank], $"rank {rank} of 3, {rank} of 3 on this machine, ");
    }

    // Seen to fail without the comparison of sizes: the launcher reports success, and each process was a group of one.
    [TestMethod]
    [DataRow(Mpi.OpenMpi, "libmpich.so.12", "MPICH")]
    [DataRow(Mpi.Mpich, "libmpi.so.40", "Open MPI")]
    public void A_launcher_of_another_MPI_is_an_error_and_not_as_many_single_runs(Mpi launcher, string library, string name)
    {
        MpiRun.Require(Mpi.OpenMpi);
        MpiRun.Require(Mpi.Mpich);
        MpiRun run = new(launcher, 2) { Environment = { [MpiLibrary.Variable] = library } };

        MpiRun.MpiResult result = run.Run(ChildPrograms.Ranks, RankPrograms.Place);

        Assert.AreNotEqual(0, result.ExitCode, result.Output);
        StringAssert.Contains(result.Output, $"The launcher started 2 processes, but the library {library} ({name}) knows of 1: they belong to different MPIs. Start with the mpirun of {name}, or name the launcher's library in MLNETEXTENSION_MPI_LIBRARY.");
    }

    // As srun --mpi=none -n 4 leaves the environment: without the comparison, four single runs. A program that catches the error ends as it likes.
    [TestMethod]
    [DataRow(Mpi.OpenMpi, "libmpi.so.40", "Open MPI")]
    [DataRow(Mpi.Mpich, "libmpich.so.12", "MPICH")]
    public void Srun_with_another_type_of_MPI_is_an_error_and_not_as_many_single_runs(Mpi mpi, string library, string name)
    {
        MpiRun.Require(mpi);
        (int exitCode, string output) = RunAlone(library, Slurm(stepTasks: "4"), RankPrograms.Refused);
        Assert.AreEqual(5, exitCode, output);
        StringAssert.Contains(
            output,
            $"srun started 4 processes, but the library {library} ({name}) knows of 1: give srun the type of this MPI, --mpi=pmix for Open MPI or --mpi=pmi2 for MPICH (srun --mpi=list has all), or name the library of srun's type in MLNETEXTENSION_MPI_LIBRARY.");
    }

    // A batch script of four tasks is itself one process; and mpirun inside of a step starts as many as it says.
    [TestMethod]
    [DataRow(Mpi.OpenMpi, "libmpi.so.40")]
    [DataRow(Mpi.Mpich, "libmpich.so.12")]
    public void Slurm_does_not_stand_in_the_way_of_one_process_or_of_mpirun(Mpi mpi, string library)
    {
        MpiRun.Require(mpi);
        foreach (string stepTasks in new[] { "", "1" })
        {
            (int exitCode, string output) = RunAlone(library, Slurm(stepTasks), RankPrograms.Place);
            Assert.AreEqual(0, exitCode, output);
            StringAssert.Contains(output, "rank 0 of 1, ");
        }
        foreach (int size in new[] { 1, 2 })
        {
            MpiRun run = new(mpi, size);
            foreach ((string name, string value) in Slurm(stepTasks: "3"))
                run.Environment[name] = value;
            MpiRun.MpiResult result = run.Run(ChildPrograms.Ranks, RankPrograms.Place);
            Assert.AreEqual(0, result.ExitCode, result.Output);
            StringAssert.Contains(result.Output, $"rank {size - 1} of {size}, ");
        }
    }

    // Open MPI binds a rank to a core unless told otherwise, MPICH lets all use all; neither gives a rank more threads than its share.
    [TestMethod]
    [DataRow(Mpi.OpenMpi, "core", 2)]
    [DataRow(Mpi.OpenMpi, "none", 2)]
    [DataRow(Mpi.OpenMpi, "none", 1)]
    [DataRow(Mpi.Mpich, "core", 2)]
    [DataRow(Mpi.Mpich, "none", 2)]
    public void Ranks_divide_the_processors_of_their_machine(Mpi mpi, string binding, int size)
    {
        if (Environment.ProcessorCount < 2)
            Assert.Inconclusive("There is one processor, which nothing can divide.");
        MpiRun run = new(mpi, size) { Binding = binding, Environment = { ["OMP_NUM_THREADS"] = null } };

        MpiRun.MpiResult result = run.Run(ChildPrograms.Ranks, RankPrograms.Place);

        Assert.AreEqual(0, result.ExitCode, result.Output);
        int threads = int.Parse(ThreadsOfRank().Match(result.Said[size - 1]).Groups[1].Value, CultureInfo.InvariantCulture);
        // A core may have two processors.
        Assert.IsInRange(1, binding == "core" ? 2 : Environment.ProcessorCount / size, threads, result.Output);
        Assert.IsTrue(binding == "core" || threads == Environment.ProcessorCount / size, result.Output);
    }

    [TestMethod]
    public void Threads_that_the_environment_names_are_taken_as_they_are()
    {
        MpiRun.MpiResult result = new MpiRun(Mpi.OpenMpi, 1).Run(ChildPrograms.Ranks, RankPrograms.Place);
        StringAssert.Contains(result.Said[0], ", 1 threads, ");
    }

    [TestMethod]
    public void A_machine_without_MPI_says_what_to_install()
    {
        string[] names = ["libnone.so.1", "libnone.so.2"];
        InvalidOperationException error = Assert.ThrowsExactly<InvalidOperationException>(() => MpiLibrary.Find(names, MpiLibrary.NotFound(names)));
        Assert.AreEqual(
            "There is no MPI on this machine, or it cannot be loaded: none of libnone.so.1, libnone.so.2. Install Open MPI (Debian, Ubuntu: apt-get install openmpi-bin) or MPICH, or name the library in MLNETEXTENSION_MPI_LIBRARY.",
            error.Message);
    }

    [TestMethod]
    [DataRow("/no/such/libmpi.so", "The MPI library '/no/such/libmpi.so', which MLNETEXTENSION_MPI_LIBRARY names, cannot be loaded.")]
    [DataRow("libc.so.6", "The library 'libc.so.6' is no MPI: it has no function MPI_Init_thread.")]
    public void A_library_that_is_no_MPI_is_an_error_that_names_it(string library, string says)
    {
        (int exitCode, string output) = RunAlone(library, RankPrograms.Place);
        Assert.AreNotEqual(0, exitCode, output);
        StringAssert.Contains(output, says);
    }

    [TestMethod]
    public void Options_say_what_is_set_without_opening_MPI()
    {
        IReadOnlyList<ThreadRankGroup> ranks = ThreadRankGroup.Create(2);
        RankOptions options = RankOptions.Of(ranks[1], shardOptimizer: false);
        Assert.AreEqual((1, 2, false), (options.Rank, options.Size, options.ShardOptimizer));
        Assert.AreEqual("RankOptions { ShardOptimizer = True }", RankOptions.Mpi().ToString());
        Assert.AreEqual(RankOptions.Mpi(), RankOptions.Mpi());
        Assert.AreNotEqual(RankOptions.Mpi(), RankOptions.Mpi(shardOptimizer: false));
    }

    private static Dictionary<string, string> Slurm(string stepTasks) => new() { ["SLURM_NTASKS"] = "4", ["SLURM_PROCID"] = "0", ["SLURM_STEP_NUM_TASKS"] = stepTasks };

    private static (int ExitCode, string Output) RunAlone(string library, params string[] arguments) => RunAlone(library, [], arguments);

    private static (int ExitCode, string Output) RunAlone(string library, Dictionary<string, string> environment, params string[] arguments)
    {
        using ChildProcess child = ChildProcess.Start(ChildPrograms.Ranks, new(environment) { [MpiLibrary.Variable] = library }, arguments);
        return (child.WaitForExit(), child.Output);
    }

    private static bool IsRunning(int process)
    {
        try
        {
            using Process found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"(\d+) threads")]
    private static partial Regex ThreadsOfRank();
}
