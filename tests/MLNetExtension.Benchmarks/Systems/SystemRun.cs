using System.Diagnostics;
using MLNetExtension.Benchmarks.Measuring;
using MLNetExtension.Benchmarks.Workloads;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>The result of one process of one system.</summary>
/// <param name="FirstLoss">Loss of the first batch, from the starting weights, in nats per target.</param>
/// <param name="LastLoss">Loss of the last batch, before its update: it tells whether the updates agree too.</param>
/// <param name="Seconds">Duration of the timed steps; 0 where only the first loss was asked for.</param>
/// <param name="PeakMemoryMiB">Peak memory of the process.</param>
/// <param name="Remark">What the system chose by itself.</param>
internal sealed record SystemResult(double FirstLoss, double LastLoss, double Seconds, double PeakMemoryMiB, string? Remark);

/// <summary>Runs a system of this program over a workload: first step, warm-up, timed steps.</summary>
internal static class SystemRun
{
    /// <summary>Runs it in this process.</summary>
    /// <param name="system">The system's name.</param>
    /// <param name="path">The workload's folder.</param>
    /// <param name="check">Whether only the first batch's loss is wanted.</param>
    /// <returns>Null in a process whose findings another reports.</returns>
    public static SystemResult? Run(string system, string path, bool check)
    {
        SystemResult result = Measure(system, path, check);
        return system == SystemNames.TwoRanks && !RankTraining.IsReporting ? null : result;
    }

    private static SystemResult Measure(string system, string path, bool check)
    {
        WorkloadFolder folder = WorkloadFolder.Open(path);
        using IMeasuredSystem measured = Create(system, folder, check);
        double firstLoss = measured.Step(0), lastLoss = firstLoss;
        if (check)
            return new SystemResult(firstLoss, lastLoss, 0, ProcessMemory.PeakMiB(folder.Device), measured.Remark);

        for (int step = 1; step < folder.Workload.WarmupSteps; step++)
            measured.Step(step);
        long start = Stopwatch.GetTimestamp();
        for (int step = folder.Workload.WarmupSteps; step < folder.Batches.Count; step++)
            lastLoss = measured.Step(step);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new SystemResult(firstLoss, lastLoss, seconds, ProcessMemory.PeakMiB(folder.Device), measured.Remark);
    }

    private static IMeasuredSystem Create(string system, WorkloadFolder folder, bool check) => system switch
    {
        SystemNames.Ours when !folder.Workload.IsTrained => new OurScoring(folder),
        SystemNames.TorchSharp when !folder.Workload.IsTrained => new TorchSharpScoring(folder),
        SystemNames.Ours => new OurTraining(folder, tune: !check),
        SystemNames.TwoThreads => new OurTraining(folder, tune: !check, workers: 1),
        SystemNames.TwoWorkers => new OurTraining(folder, tune: !check, workers: 2),
        SystemNames.TwoRanks => new RankTraining(folder, tune: !check),
        SystemNames.TorchSharp => new TorchSharpLoop(folder),
        _ => throw new ArgumentOutOfRangeException(nameof(system), system, "Not a system of this program."),
    };
}
