using MLNetExtension.Benchmarks.Workloads;

namespace MLNetExtension.Benchmarks.Measuring;

/// <summary>
/// Floating-point operations that a row takes, by the usual formula (Chowdhery et al. 2022, PaLM, appendix B): what a system computes beyond it (padding, recomputation, the head where there is no
/// target) or leaves out (half of causal attention) does not count. T positions.
/// </summary>
internal static class ModelFlops
{
    /// <summary>Counts those of one row: forward and backward, or forward alone where rows are scored.</summary>
    /// <param name="workload">What is done with the row.</param>
    /// <param name="positions">T, without padding.</param>
    public static double OfRow(Workload workload, int positions)
    {
        // A weight that multiplies costs 2 operations forward, 2 for the gradient of its input and, where it is trained, 2 for its own.
        int frozen = workload.IsTrained ? 4 : 2, trained = workload.IsTrained ? 6 : 2;
        // Scores and their use: 2 products of T by the heads' width a position and layer, whose factors both have gradients.
        int attention = workload.IsTrained ? 12 : 4;
        NetworkWork work = workload.Network.Work;
        double blocks = trained * work.Trained + frozen * work.Frozen + attention * work.Attention * positions;
        return positions * blocks + workload.Rows.CountTargets(positions) * (work.HeadIsTrained ? trained : frozen) * work.Head;
    }
}
