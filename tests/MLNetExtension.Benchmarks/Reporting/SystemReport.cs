using MLNetExtension.Benchmarks.Measuring;
using MLNetExtension.Benchmarks.Systems;
using MLNetExtension.Benchmarks.Workloads;

namespace MLNetExtension.Benchmarks.Reporting;

/// <summary>One line of the report.</summary>
/// <param name="Workload">W1 to W5.</param>
/// <param name="System">Who.</param>
/// <param name="TargetTokensPerSecond">Target tokens per second, padding not counted.</param>
/// <param name="PeakMemoryMiB">Peak memory of the process.</param>
/// <param name="ShareOfMatrixPeak">Model operations per second by the machine's matrix-multiply peak in the same round.</param>
/// <param name="RatioToOurs">Its target tokens per second by ours in the same round.</param>
internal sealed record SystemReport(string Workload, string System, Figure TargetTokensPerSecond, Figure PeakMemoryMiB, Figure ShareOfMatrixPeak, Figure RatioToOurs)
{
    /// <summary>Sums up the rounds of a workload.</summary>
    /// <param name="workload">The workload.</param>
    /// <param name="measurements">The rounds of each system, in the same order.</param>
    public static IReadOnlyList<SystemReport> From(Workload workload, IReadOnlyDictionary<string, List<Measurement>> measurements)
    {
        WorkloadTotals totals = WorkloadTotals.Of(workload);
        List<Measurement> ours = measurements[SystemNames.Ours];
        return [.. measurements.Select(pair => new SystemReport(
            workload.Name,
            pair.Key,
            Figure.Of(pair.Value.Select(m => totals.TargetTokens / m.Result.Seconds)),
            Figure.Of(pair.Value.Select(m => m.Result.PeakMemoryMiB)),
            Figure.Of(pair.Value.Select(m => totals.Flops / m.Result.Seconds / m.MatrixPeak)),
            Figure.Of(pair.Value.Zip(ours, (its, our) => our.Result.Seconds / its.Result.Seconds))))];
    }
}
