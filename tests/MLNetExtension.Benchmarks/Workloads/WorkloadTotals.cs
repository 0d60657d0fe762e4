using MLNetExtension.Benchmarks.Measuring;

namespace MLNetExtension.Benchmarks.Workloads;

/// <summary>What the timed steps of a workload come to.</summary>
/// <param name="TargetTokens">Targets, padding not counted; every position that is not padding has one.</param>
/// <param name="Flops">Floating-point operations, padding not counted.</param>
internal sealed record WorkloadTotals(long TargetTokens, double Flops)
{
    public static WorkloadTotals Of(Workload workload)
    {
        int[] lengths = [.. workload.DrawWindows().Skip(workload.WarmupSteps).SelectMany(window => window).Select(ids => ids.Length - 1)];
        return new WorkloadTotals(lengths.Sum(), lengths.Sum(length => ModelFlops.OfRow(workload.Configuration, length)));
    }
}
