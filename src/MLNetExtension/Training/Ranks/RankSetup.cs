using MLNetExtension.Training.Optimization;

namespace MLNetExtension.Training.Ranks;

/// <summary>The ranks of a training, and how they share its memory.</summary>
/// <param name="Group">The ranks.</param>
/// <param name="ShardsOptimizer">
/// Whether each rank keeps and steps the optimizer's state of its own <see cref="Shard"/> of the weights alone (stage 1 of S. Rajbhandari et al., "ZeRO", 2020), instead of all of it. The result is the same.
/// </param>
internal sealed record RankSetup(IRankGroup Group, bool ShardsOptimizer = true)
{
    /// <summary>One process alone.</summary>
    public static RankSetup Alone { get; } = new(SingleRank.Instance);

    /// <summary>The ranks over which the optimizer's state is spread.</summary>
    public IRankGroup OptimizerGroup => ShardsOptimizer ? Group : SingleRank.Instance;

    /// <summary>The same ranks for an optimizer, whose state they share only where it can be shared.</summary>
    /// <param name="optimizer">The optimizer.</param>
    public RankSetup For(OptimizerOptions optimizer) => this with { ShardsOptimizer = ShardsOptimizer && optimizer.SharesState };
}
