using MLNetExtension.Benchmarks.Measuring;

namespace MLNetExtension.Benchmarks.Workloads;

/// <summary>The totals of a workload's timed steps.</summary>
/// <param name="TargetTokens">Targets, padding not counted.</param>
/// <param name="Flops">Floating-point operations, padding not counted.</param>
internal sealed record WorkloadTotals(long TargetTokens, double Flops)
{
    public static WorkloadTotals Of(Workload workload)
    {
        int[] lengths = [.. workload.DrawBatches().Skip(workload.WarmupSteps).SelectMany(batch => batch).Select(ids => ids.Length - 1)];
        return new WorkloadTotals(lengths.Sum(workload.Rows.CountTargets), lengths.Sum(length => ModelFlops.OfRow(workload, length)));
    }
}
