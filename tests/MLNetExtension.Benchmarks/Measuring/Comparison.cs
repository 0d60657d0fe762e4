using MLNetExtension.Benchmarks.Systems;
using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Training;

namespace MLNetExtension.Benchmarks.Measuring;

/// <summary>One system in one round.</summary>
/// <param name="Result">What its process found.</param>
/// <param name="MatrixPeak">The machine's matrix-multiply peak in this round, in operations per second.</param>
internal sealed record Measurement(SystemResult Result, double MatrixPeak);

/// <summary>Runs all systems over a workload, each in a process of its own and never two at once: first whether they compute the same, then how fast.</summary>
/// <param name="workload">The workload.</param>
/// <param name="machine">Where it runs.</param>
/// <param name="systems">The systems' names, in the order in which a round runs them; the first is ours.</param>
/// <param name="children">Starts the processes.</param>
/// <param name="log">Receives a line of text for everything that is done.</param>
internal sealed class Comparison(Workload workload, MachineSettings machine, IReadOnlyList<string> systems, ChildProcess children, Action<string> log)
{
    // The same function in another order of summation, in float32.
    private const double FirstLossTolerance = 1e-5;

    // Updates of the same optimizer drift apart by rounding, those of another one by far more.
    private const double LastLossTolerance = 1e-3;

    // bfloat16 has 8 bits, and systems round in different places.
    private const double HalfPrecisionTolerance = 1e-2;

    /// <summary>Runs it.</summary>
    /// <param name="rounds">How often every system has its turn.</param>
    /// <param name="cancellation">Ends the process that is running.</param>
    /// <exception cref="BenchmarkException">Losses disagree, or a process failed.</exception>
    public async Task<IReadOnlyDictionary<string, List<Measurement>>> Run(int rounds, CancellationToken cancellation)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("mlnet-benchmark-");
        try
        {
            WorkloadFolder.Write(folder.FullName, workload, machine);
            await CheckFirstLosses(folder.FullName, cancellation);
            return await MeasureRounds(folder.FullName, rounds, cancellation);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task CheckFirstLosses(string folder, CancellationToken cancellation)
    {
        Dictionary<string, SystemResult> results = [];
        foreach (string system in systems)
        {
            results[system] = await RunSystem(system, folder, check: true, cancellation);
            RequireAgreement("first", results, result => result.FirstLoss, FirstLossTolerance);
        }
        log($"{workload.Name}: all systems give the first batch the loss {results[SystemNames.Ours].FirstLoss:F6}");
    }

    private async Task<IReadOnlyDictionary<string, List<Measurement>>> MeasureRounds(string folder, int rounds, CancellationToken cancellation)
    {
        Dictionary<string, List<Measurement>> measurements = systems.ToDictionary(system => system, _ => new List<Measurement>());
        for (int round = 1; round <= rounds; round++)
        {
            double peak = await children.RunSelf<double>("The measurement of the matrix-multiply peak", [HiddenCommands.MatrixPeak, machine.Device, machine.Precision.ToString()], cancellation);
            log($"{workload.Name} round {round} of {rounds}: matrix-multiply peak {peak / 1e9:N0} GFLOP/s");
            Dictionary<string, SystemResult> results = [];
            foreach (string system in systems)
            {
                SystemResult result = results[system] = await RunSystem(system, folder, check: false, cancellation);
                RequireAgreement("first", results, r => r.FirstLoss, FirstLossTolerance);
                RequireAgreement("last", results, r => r.LastLoss, LastLossTolerance);
                measurements[system].Add(new Measurement(result, peak));
                double speed = WorkloadTotals.CountTargets(workload) / result.Seconds;
                log($"{workload.Name} round {round} of {rounds}: {system} {speed:N0} target tokens/s, peak {result.PeakMemoryMiB:N0} MiB{(result.Remark is { } remark ? $", {remark}" : "")}");
            }
        }
        return measurements;
    }

    private Task<SystemResult> RunSystem(string system, string folder, bool check, CancellationToken cancellation)
    {
        string what = $"{system} on {workload.Name}";
        string[] flags = check ? ["--check"] : [];
        string[] self = [HiddenCommands.System, system, folder, .. flags];
        return system switch
        {
            SystemNames.PyTorch => children.RunPython<SystemResult>(what, PyTorchPeer.Script, [folder, .. flags], cancellation),
            SystemNames.TwoRanks => children.RunSelfTwice<SystemResult>(what, self, cancellation),
            _ => children.RunSelf<SystemResult>(what, self, cancellation),
        };
    }

    private void RequireAgreement(string which, Dictionary<string, SystemResult> results, Func<SystemResult, double> lossOf, double tolerance)
    {
        double ours = lossOf(results[SystemNames.Ours]);
        foreach ((string system, SystemResult result) in results)
        {
            double difference = Math.Abs(lossOf(result) - ours) / Math.Abs(ours);
            double allowed = machine.Precision == ComputePrecision.Float32 ? tolerance : HalfPrecisionTolerance;
            if (!(difference <= allowed))
                throw new BenchmarkException(
                    $"{workload.Name}: {SystemNames.Ours} and {system} disagree: loss of the {which} batch {ours:R} and {lossOf(result):R}, relative difference {difference:E1}, allowed {allowed:E0}.");
        }
    }
}
