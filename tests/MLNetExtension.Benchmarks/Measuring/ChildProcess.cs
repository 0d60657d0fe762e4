using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace MLNetExtension.Benchmarks.Measuring;

/// <summary>Runs a program that prints its result as one line of JSON. One at a time: two OpenMP programs on the same cores slow each other more than tenfold.</summary>
/// <param name="threads">Threads that every system is given.</param>
/// <param name="python">The Python that has torch; null where no script is to be run.</param>
internal sealed class ChildProcess(int threads, string? python)
{
    // Read by libgomp, by OpenBLAS and by MKL when they are loaded.
    private static readonly string[] _threadVariables = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];

    // As root, and with more ranks than cores: in a container as anywhere. Another MPI does not read them.
    private static readonly string[] _openMpiVariables = ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_rmaps_base_oversubscribe"];

    public bool HasPython => python is not null;

    public int Threads => threads;

    /// <summary>Runs this program again, with hidden arguments.</summary>
    public Task<T> RunSelf<T>(string what, IEnumerable<string> arguments, CancellationToken cancellation) =>
        Run<T>(what, [.. Self, .. arguments], threads, cancellation);

    /// <summary>Runs this program as two ranks, each with half of the threads, by the launcher of the MPI that is installed; one of them gives the result.</summary>
    public Task<T> RunSelfTwice<T>(string what, IEnumerable<string> arguments, CancellationToken cancellation) =>
        Run<T>(what, ["mpirun", "-n", "2", .. Self, .. arguments], Math.Max(1, threads / 2), cancellation);

    /// <summary>Runs a script that lies beside this program.</summary>
    public Task<T> RunPython<T>(string what, string script, IEnumerable<string> arguments, CancellationToken cancellation) =>
        Run<T>(what, [python!, Path.Combine(AppContext.BaseDirectory, script), .. arguments], threads, cancellation);

    private static string[] Self
    {
        get
        {
            string host = Environment.ProcessPath!;
            // Under `dotnet file.dll` the process is dotnet itself.
            bool hosted = Path.GetFileNameWithoutExtension(host).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
            return hosted ? [host, Path.Combine(AppContext.BaseDirectory, $"{typeof(ChildProcess).Assembly.GetName().Name}.dll")] : [host];
        }
    }

    private static async Task<T> Run<T>(string what, string[] command, int threads, CancellationToken cancellation)
    {
        string number = threads.ToString(CultureInfo.InvariantCulture);
        ProcessStartInfo start = new(command[0], [.. command[1..], "--threads", number]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string variable in _threadVariables)
            start.Environment[variable] = number;
        foreach (string variable in _openMpiVariables)
            start.Environment[variable] = "1";
        // Open MPI gives its ranks a terminal, to which .NET would write control characters first.
        start.Environment["TERM"] = "dumb";
        using Process process = Start(what, start);
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(cancellation), error = process.StandardError.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            if (process.ExitCode != 0)
                throw new BenchmarkException($"{what} failed with exit code {process.ExitCode}: {Describe(await error)}");
            return Parse<T>(what, await output);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    private static Process Start(string what, ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new BenchmarkException($"{what} cannot be started: {e.Message}");
        }
    }

    private static T Parse<T>(string what, string output)
    {
        string last = output.TrimEnd().Split('\n')[^1];
        try
        {
            return JsonSerializer.Deserialize<T>(last, JsonSerializerOptions.Web)!;
        }
        catch (JsonException)
        {
            throw new BenchmarkException($"{what} ended without a result: {Describe(output)}");
        }
    }

    private static string Describe(string text) => string.IsNullOrWhiteSpace(text) ? "it printed nothing." : string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
