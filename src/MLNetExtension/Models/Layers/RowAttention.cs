using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>The heads of an attention layer.</summary>
/// <param name="Queries">H.</param>
/// <param name="Groups">G, heads of keys and of values.</param>
/// <param name="Rule">How queries and keys become probabilities; null for <see cref="AttentionRule.Plain"/>.</param>
internal readonly record struct HeadCounts(int Queries, int Groups, AttentionRule? Rule = null)
{
    /// <summary>R = H/G, the heads of queries that share keys and values.</summary>
    public int Shared => Queries / Groups;
}

/// <summary>
/// Causal attention of a micro-batch's rows, computed so that a backward pass can follow. P positions of all rows, H heads of queries, G of keys and of values, D width of a head.
/// </summary>
internal abstract class RowAttention : IDisposable
{
    /// <summary>Attends from each position to itself and to those before it in its row.</summary>
    /// <param name="heads">Queries, keys and values, [P,H+2G,D], contiguous.</param>
    /// <param name="counts">Which of them are which.</param>
    /// <param name="tape">The micro-batch.</param>
    public static RowAttention Attend(Tensor heads, HeadCounts counts, Tape tape) =>
        WideAttention.Suits(heads, counts.Rule) ? new WideRowAttention(heads, counts, tape) : new GroupedRowAttention(heads, counts, tape);

    /// <summary>Gives the results of all rows, [P,H D].</summary>
    public abstract Tensor JoinResults();

    /// <summary>Computes the gradient of queries, keys and values.</summary>
    /// <param name="gradient">Of the result, [P,H D].</param>
    /// <returns>[P,H+2G,D].</returns>
    public abstract Tensor Backward(Tensor gradient);

    /// <summary>What the backward pass needs.</summary>
    public abstract IReadOnlyList<Tensor> Kept { get; }

    /// <summary>Frees what is kept.</summary>
    public void Dispose()
    {
        foreach (Tensor tensor in Kept)
            tensor.Dispose();
    }
}
