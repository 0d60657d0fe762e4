using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>
/// The router balance loss of a batch, as a sum over the tokens that have a target, which the batch's targets divide like every other: n_k targets in micro-batch k, n in the batch, and M their summed
/// weights. Padding and prompts count nowhere (Megatron #2121).
/// What accumulates: the counts of the batch, by <see cref="Count"/>. What resets them: <see cref="Reset"/>.
/// </summary>
/// <param name="coefficient">alpha.</param>
/// <param name="scope">The tokens over which loads are balanced.</param>
/// <param name="together">
/// L, how many blocks have their loads balanced together: the shares are those of all of them, and the loss is their mean. 1 where each block is balanced by itself. Over a micro-batch, where the loss of a block
/// is computed before the next block runs, the shares are each block's own.
/// </param>
internal sealed class RouterBalance(double coefficient, RouterBalanceScope scope, int together = 1) : IDisposable
{
    private readonly Dictionary<int, Tensor> _counts = [];     // block -> [E] float64, of the batch
    private double _weights, _targets;

    /// <summary>Whether the batch's shares must be counted before its first backward pass.</summary>
    public bool NeedsCountsFirst => coefficient != 0 && scope == RouterBalanceScope.Batch;

    /// <summary>Sets the counts to zero, for the next batch.</summary>
    public void Reset()
    {
        Dispose();
        _counts.Clear();
        (_weights, _targets) = (0, 0);
    }

    /// <summary>Counts what the routers decided in a forward pass of a micro-batch.</summary>
    /// <param name="blocks">Blocks that have just run.</param>
    /// <param name="microBatch">What they ran on.</param>
    public void Count(IReadOnlyList<TransformerBlock> blocks, MicroBatch microBatch)
    {
        for (int i = 0; i < blocks.Count; i++)
        {
            if (blocks[i].Routing is { } routing)
                Add(i, CountChoices(routing, microBatch));
        }
        _weights += microBatch.TargetWeight;
        _targets += microBatch.TargetCount;
    }

    /// <summary>Adds up what the workers of all ranks have counted, each its part of a batch, and gives each the sums. Collective.</summary>
    /// <param name="workers">All workers of this rank.</param>
    /// <param name="ranks">The ranks.</param>
    public static void ShareCounts(IReadOnlyList<RouterBalance> workers, IRankGroup ranks)
    {
        using var _ = NewDisposeScope();
        RouterBalance first = workers[0];
        foreach (RouterBalance other in workers.Skip(1))
            first.Add(other);
        first.SumOver(ranks);
        foreach (RouterBalance other in workers.Skip(1))
        {
            other.Reset();
            other.Add(first);
        }
    }

    /// <summary>Computes the balance loss of a block in a micro-batch, as a sum over its targets.</summary>
    /// <param name="block">The block's number.</param>
    /// <param name="routing">What its router has just decided; null for a block without one.</param>
    /// <param name="microBatch">What it ran on.</param>
    /// <returns>
    /// A scalar, float64, with a gradient: (M / n) (alpha / L) E sum_e f_e sum_t p_te, with the batch's shares, or M_k (alpha / L) E sum_e f_e P_e with the micro-batch's. Null where there is none.
    /// </returns>
    public Tensor? ComputeSum(int block, Routing? routing, MicroBatch microBatch)
    {
        if (routing is null || coefficient == 0)
            return null;
        Tensor probabilities = routing.Probabilities.index_select(0, microBatch.TargetTokens);     // [N,E]
        bool overBatch = scope == RouterBalanceScope.Batch;
        double perTarget = overBatch ? _weights / _targets : microBatch.TargetWeight / microBatch.TargetCount;
        return RouterBalanceLoss.Sum(probabilities, overBatch ? SharesOf(block) : CountChoices(routing, microBatch) / Scalars.Of(microBatch.TargetCount))
            * Scalars.Of(coefficient * perTarget / together);
    }

    /// <summary>Frees the counts.</summary>
    public void Dispose()
    {
        foreach (Tensor counts in _counts.Values)
            counts.Dispose();
    }

    // [E]
    private Tensor SharesOf(int block) => (together > 1 ? stack([.. _counts.Values]).mean([0]) : _counts[block]) / Scalars.Of(_targets);

    private static Tensor CountChoices(Routing routing, MicroBatch microBatch) =>
        RouterBalanceLoss.Counts(routing.Selected.index_select(0, microBatch.TargetTokens), routing.Probabilities.shape[1]);

    // A rank without rows has counted nothing, and learns from the others which blocks there are, and of how many experts.
    private void SumOver(IRankGroup ranks)
    {
        if (ranks.Size == 1)
            return;
        int blocks = (int)ranks.Gather(_counts.Keys.DefaultIfEmpty(-1).Max() + 1).Max(count => count[0]);
        double[][] experts = ranks.Gather([.. Enumerable.Range(0, blocks).Select(block => _counts.TryGetValue(block, out Tensor? counts) ? (double)counts.shape[0] : 0), _weights, _targets]);
        (_weights, _targets) = (experts.Sum(of => of[blocks]), experts.Sum(of => of[blocks + 1]));
        for (int block = 0; block < blocks; block++)
        {
            long size = (long)experts.Max(of => of[block]);
            if (size == 0)
                continue;
            if (!_counts.TryGetValue(block, out Tensor? counts))
                _counts[block] = counts = zeros(size, dtype: float64).DetachFromDisposeScope();
            ranks.Sum(counts);
        }
    }

    private void Add(RouterBalance other)
    {
        foreach ((int block, Tensor counts) in other._counts)
            Add(block, counts);
        (_weights, _targets) = (_weights + other._weights, _targets + other._targets);
    }

    private void Add(int block, Tensor counts)
    {
        if (_counts.TryGetValue(block, out Tensor? sum))
            sum.add_(counts, Scalars.One);
        else
            _counts[block] = counts.clone().DetachFromDisposeScope();
    }
}
