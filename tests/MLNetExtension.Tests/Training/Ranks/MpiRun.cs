using System.Diagnostics;
using System.Text;
using MLNetExtension.Tests.Hostile;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.Tests.Training.Ranks;

/// <summary>Makes of MPI that tests start.</summary>
public enum Mpi
{
    /// <summary>Open MPI, which <c>.ci/run</c> installs.</summary>
    OpenMpi,

    /// <summary>MPICH, where it is installed.</summary>
    Mpich,
}

/// <summary>Starts ranks of this assembly's child programs by an MPI's launcher, on this machine alone.</summary>
/// <param name="mpi">Whose launcher.</param>
/// <param name="size">How many ranks, at most 4.</param>
internal sealed class MpiRun(Mpi mpi, int size)
{
    // Launchers pass output on in pieces of their own, so a rank keeps what it says in a file of its own as well.
    private const string FolderVariable = "TEST_RANKS_FOLDER";

    private static readonly TimeSpan MaximumTime = TimeSpan.FromMinutes(2);

    private static readonly Dictionary<Mpi, string?> Launchers = new()
    {
        [Mpi.OpenMpi] = FindLauncher("open-mpi.org", "mpirun.openmpi", "mpirun"),
        [Mpi.Mpich] = FindLauncher("HYDRA", "mpirun.mpich", "mpirun"),
    };

    /// <summary>What the ranks find in their environment beside what is here.</summary>
    public Dictionary<string, string?> Environment { get; } = new() { ["OMP_NUM_THREADS"] = "1", ["OMP_WAIT_POLICY"] = "PASSIVE" };

    /// <summary>To what the launcher binds a rank: <c>none</c> or <c>core</c>.</summary>
    public string Binding { get; init; } = "none";

    /// <summary>Ends the test as inconclusive where an MPI is not installed.</summary>
    public static void Require(Mpi mpi)
    {
        if (Launchers[mpi] is null)
            Assert.Inconclusive(mpi == Mpi.OpenMpi ? "Open MPI is not installed (apt-get install openmpi-bin)." : "MPICH is not installed (apt-get install mpich).");
    }

    /// <summary>Runs a program on every rank, to its end.</summary>
    /// <exception cref="AssertInconclusiveException">The MPI is not installed.</exception>
    public MpiResult Run(string program, params IEnumerable<string> arguments)
    {
        Require(mpi);
        Assert.IsInRange(1, 4, size);
        ProcessStartInfo start = new(Launchers[mpi]!, [.. Options, .. ChildProcess.CommandLine(program, arguments)]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach ((string name, string? value) in Environment)
            start.Environment[name] = value;
        using TemporaryFolder folder = new();
        start.Environment[FolderVariable] = folder[""];
        StringBuilder output = new();
        long began = Stopwatch.GetTimestamp();
        using Process process = new() { StartInfo = start };
        process.OutputDataReceived += (_, line) => Add(output, line.Data);
        process.ErrorDataReceived += (_, line) => Add(output, line.Data);
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (!process.WaitForExit(MaximumTime))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"The ranks hang; they wrote:\n{output}");
        }
        process.WaitForExit();    // for the rest of the output
        return new MpiResult(process.ExitCode, Stopwatch.GetElapsedTime(began), output.ToString())
        {
            Said = [.. Enumerable.Range(0, size).Select(rank => File.Exists(folder[$"{rank}"]) ? File.ReadAllText(folder[$"{rank}"]) : "")],
        };
    }

    /// <summary>Says something, as a rank: for the test that reads <see cref="MpiResult.Said"/>, and on the output.</summary>
    public static void Say(IRankGroup ranks, string line)
    {
        if (System.Environment.GetEnvironmentVariable(FolderVariable) is { } folder)
            File.AppendAllText(Path.Combine(folder, $"{ranks.Rank}"), line + "\n");
        Console.WriteLine(line);
    }

    private string[] Options => mpi switch
    {
        // Shared memory and nothing else, and more ranks than processors.
        Mpi.OpenMpi => ["--allow-run-as-root", "--oversubscribe", "--bind-to", Binding, "--mca", "btl", "self,vader", "-n", $"{size}"],
        _ => ["-launcher", "fork", "-bind-to", Binding, "-n", $"{size}"],
    };

    private static void Add(StringBuilder output, string? line)
    {
        if (line is null)
            return;
        lock (output)
            output.Append(line).Append('\n');
    }

    private static string? FindLauncher(string maker, params string[] names) => names.FirstOrDefault(name =>
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(name, ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            string version = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return version.Contains(maker, StringComparison.Ordinal);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;    // there is no such program
        }
    });

    /// <summary>How ranks ended.</summary>
    /// <param name="ExitCode">Of the launcher.</param>
    /// <param name="Time">From start to end.</param>
    /// <param name="Output">What launcher and ranks wrote, outputs and error outputs.</param>
    internal sealed record MpiResult(int ExitCode, TimeSpan Time, string Output)
    {
        /// <summary>What each rank said.</summary>
        public required IReadOnlyList<string> Said { get; init; }
    }
}
