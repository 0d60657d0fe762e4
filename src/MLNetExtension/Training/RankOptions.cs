using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Ranks.Mpi;

namespace MLNetExtension.Training;

/// <summary>Several processes, called ranks, that train one model together, on one machine or on several. The result is that of one process, whatever their number.</summary>
/// <remarks>All of them run the same program on the same data. Only sums travel between them, and what decides is decided together.</remarks>
public sealed record RankOptions
{
    private readonly Func<IRankGroup> _open;

    private RankOptions(Func<IRankGroup> open) => _open = open;

    /// <summary>
    /// Whether each rank keeps and updates only its share of the optimizer's state, which takes that much less memory and gives the same weights. Default true; makes no difference to a single rank.
    /// </summary>
    /// <remarks>Source: S. Rajbhandari et al., "ZeRO: memory optimizations toward training trillion parameter models", 2020, stage 1.</remarks>
    public bool ShardOptimizer { get; init; } = true;

    /// <summary>The number of this process, from 0. Opens MPI when first asked: for what one process does alone, as in <c>if (ranks.Rank == 0) mlContext.Model.Save(...)</c>.</summary>
    /// <exception cref="InvalidOperationException">There is no MPI on this machine, or the processes were started by the launcher of another.</exception>
    public int Rank => Open().Rank;

    /// <summary>How many processes there are; 1 without a launcher. Opens MPI when first asked.</summary>
    /// <exception cref="InvalidOperationException">There is no MPI on this machine, or the processes were started by the launcher of another.</exception>
    public int Size => Open().Size;

    /// <summary>
    /// Ranks that MPI connects: the processes that <c>mpirun</c> or a cluster's launcher has started. Open MPI or MPICH must be installed; the environment variable <c>MLNETEXTENSION_MPI_LIBRARY</c> names
    /// a library where the loader does not find it.
    /// </summary>
    /// <param name="shardOptimizer">See <see cref="ShardOptimizer"/>.</param>
    public static RankOptions Mpi(bool shardOptimizer = true) => new(MpiRankGroup.Open) { ShardOptimizer = shardOptimizer };

    /// <summary>Says what is set, and does not open MPI for it.</summary>
    public override string ToString() => $"{nameof(RankOptions)} {{ {nameof(ShardOptimizer)} = {ShardOptimizer} }}";

    /// <summary>Ranks of a group that is open already.</summary>
    internal static RankOptions Of(IRankGroup group, bool shardOptimizer = true) => new(() => group) { ShardOptimizer = shardOptimizer };

    /// <summary>Opens the group of this process.</summary>
    internal IRankGroup Open() => _open();
}
