using MLNetExtension.Models;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Benchmarks.Workloads;

/// <summary>The totals of a workload's timed steps.</summary>
/// <param name="TargetTokens">Targets, padding not counted.</param>
/// <param name="Flops">Floating-point operations, padding not counted.</param>
internal sealed record WorkloadTotals(long TargetTokens, double Flops)
{
    /// <summary>Counts both; makes the network for it.</summary>
    public static WorkloadTotals Of(Workload workload)
    {
        using CausalLanguageModel model = workload.Network.Create();
        ModelFlops flops = ModelFlops.Of(model, workload.IsTrained);
        return new WorkloadTotals(CountTargets(workload), Lengths(workload).Sum(length => flops.OfRow(length, workload.Rows.CountTargets(length))));
    }

    /// <summary>Counts the targets alone.</summary>
    public static long CountTargets(Workload workload) => Lengths(workload).Sum(length => (long)workload.Rows.CountTargets(length));

    private static IEnumerable<int> Lengths(Workload workload) => workload.DrawBatches().Skip(workload.WarmupSteps).SelectMany(batch => batch).Select(ids => ids.Length - 1);
}
