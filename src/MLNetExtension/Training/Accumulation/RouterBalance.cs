using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>
/// The router balance loss of a batch, as a sum that the batch's targets divide like every other: m_k targets in micro-batch k, M in the batch, n_k and n tokens.
/// What accumulates: the counts of the batch, by <see cref="Count"/>. What resets them: <see cref="Reset"/>.
/// </summary>
/// <param name="coefficient">alpha.</param>
/// <param name="scope">The tokens over which loads are balanced.</param>
internal sealed class RouterBalance(double coefficient, RouterBalanceScope scope) : IDisposable
{
    private readonly Dictionary<int, Tensor> _counts = [];     // block -> [E] float64, of the batch
    private double _targets, _tokens;

    /// <summary>Whether the batch's shares must be counted before its first backward pass.</summary>
    public bool NeedsCountsFirst => coefficient != 0 && scope == RouterBalanceScope.Batch;

    /// <summary>Sets the counts to zero, for the next batch.</summary>
    public void Reset()
    {
        Dispose();
        _counts.Clear();
        (_targets, _tokens) = (0, 0);
    }

    /// <summary>Counts what the routers decided in a forward pass of a micro-batch.</summary>
    /// <param name="blocks">Blocks that have just run.</param>
    /// <param name="microBatch">What they ran on.</param>
    public void Count(IReadOnlyList<TransformerBlock> blocks, MicroBatch microBatch)
    {
        for (int i = 0; i < blocks.Count; i++)
        {
            if (blocks[i].Routing is not { } routing)
                continue;
            Add(i, RouterBalanceLoss.Counts(routing.Selected, routing.Probabilities.shape[1]));
        }
        _targets += microBatch.TargetWeight;
        _tokens += microBatch.RowLengths.Sum();
    }

    /// <summary>Adds up what workers have counted, each its part of a batch, and gives each the sums.</summary>
    /// <param name="workers">All of them.</param>
    public static void ShareCounts(IReadOnlyList<RouterBalance> workers)
    {
        using var _ = NewDisposeScope();
        RouterBalance first = workers[0];
        foreach (RouterBalance other in workers.Skip(1))
        {
            foreach ((int block, Tensor counts) in other._counts)
                first.Add(block, counts);
            (first._targets, first._tokens) = (first._targets + other._targets, first._tokens + other._tokens);
        }
        foreach (RouterBalance other in workers.Skip(1))
        {
            other.Reset();
            foreach ((int block, Tensor counts) in first._counts)
                other.Add(block, counts);
            (other._targets, other._tokens) = (first._targets, first._tokens);
        }
    }

    /// <summary>Computes the balance loss of a block in a micro-batch, as a sum over its tokens.</summary>
    /// <param name="block">The block's number.</param>
    /// <param name="routing">What its router has just decided; null for a block without one.</param>
    /// <param name="targets">m_k.</param>
    /// <returns>
    /// A scalar, float64, with a gradient: (M / n) alpha E sum_e f_e sum_t p_te, with the batch's shares, or m_k alpha E sum_e f_e P_e with the micro-batch's. Null where there is none.
    /// </returns>
    public Tensor? ComputeSum(int block, Routing? routing, double targets)
    {
        if (routing is null || coefficient == 0)
            return null;
        double tokens = routing.Probabilities.shape[0];
        if (scope == RouterBalanceScope.Batch)
            return RouterBalanceLoss.Sum(routing.Probabilities, _counts[block] / _tokens) * (coefficient * _targets / _tokens);
        Tensor shares = RouterBalanceLoss.Counts(routing.Selected, routing.Probabilities.shape[1]) / tokens;
        return RouterBalanceLoss.Sum(routing.Probabilities, shares) * (coefficient * targets / tokens);
    }

    /// <summary>Frees the counts.</summary>
    public void Dispose()
    {
        foreach (Tensor counts in _counts.Values)
            counts.Dispose();
    }

    private void Add(int block, Tensor counts)
    {
        if (_counts.TryGetValue(block, out Tensor? sum))
            sum.add_(counts);
        else
            _counts[block] = counts.clone().DetachFromDisposeScope();
    }
}
