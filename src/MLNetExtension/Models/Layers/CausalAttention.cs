using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>The queries, keys and values of an attention layer, in the notation of <see cref="CausalAttention"/>.</summary>
/// <param name="Queries">[B,H,T,D].</param>
/// <param name="Keys">[B,G,S,D].</param>
/// <param name="Values">[B,G,S,D].</param>
internal readonly record struct AttentionHeads(Tensor Queries, Tensor Keys, Tensor Values);

/// <summary>How queries and keys become probabilities: softmax(cap(factor Q K' / sqrt(D))) over the positions that one attends to.</summary>
/// <param name="Window">How many positions one attends to, itself included; null for all.</param>
/// <param name="QueryFactor">What queries are multiplied by. Default 1.</param>
/// <param name="ScoreCap">c, where a score s becomes c tanh(s / c); null for none.</param>
internal sealed record AttentionRule(int? Window = null, double QueryFactor = 1, double? ScoreCap = null)
{
    /// <summary>softmax(Q K' / sqrt(D)) over all positions before.</summary>
    public static AttentionRule Plain { get; } = new();

    /// <summary>Multiplies the queries by their factor.</summary>
    public AttentionHeads Scale(AttentionHeads heads) => QueryFactor == 1 ? heads : heads with { Queries = heads.Queries * Scalars.Of(QueryFactor) };
}

/// <summary>
/// Attention of each position to itself and to those before it, all of them or the nearest only. B rows, T positions, S positions attended to, H heads of queries and
/// G of keys and values, where each of the G serves H/G neighbors (Ainslie et al. 2023), D width of a head.
/// </summary>
internal static class CausalAttention
{
    /// <summary>Attends within the given positions.</summary>
    /// <param name="heads">Queries, keys and values of the same positions: S is T.</param>
    /// <param name="rule">How queries and keys become probabilities; null for <see cref="AttentionRule.Plain"/>.</param>
    /// <param name="dropout">Dropout of the attention probabilities; null for none.</param>
    /// <returns>[B,H,T,D].</returns>
    public static Tensor Attend(AttentionHeads heads, AttentionRule? rule = null, SeededDropout? dropout = null)
    {
        rule ??= AttentionRule.Plain;
        long length = heads.Queries.shape[2];
        CausalMask mask = new(FirstQuery: 0, Queries: length, Window: rule.Window);
        (Tensor queries, Tensor keys, Tensor values) = RepeatKeys(rule.Scale(heads));
        if (rule.ScoreCap is not null || dropout is { IsActive: true })
            return AttendByScores(new(queries, keys, values), mask.ToTensor(queries.device), rule.ScoreCap, dropout);
        return rule.Window < length
            ? nn.functional.scaled_dot_product_attention(queries, keys, values, mask.ToTensor(queries.device))
            : nn.functional.scaled_dot_product_attention(queries, keys, values, is_casual: true);
    }

    /// <summary>Attends to the given positions and to those in a cache, to which the given ones are added.</summary>
    /// <param name="heads">Queries, keys and values of the new positions: S is T.</param>
    /// <param name="layer">The layer, under which the cache stores its keys and values.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="rule">How queries and keys become probabilities; null for <see cref="AttentionRule.Plain"/>.</param>
    /// <returns>[B,H,T,D].</returns>
    public static Tensor AttendCached(AttentionHeads heads, object layer, KeyValueCache cache, AttentionRule? rule = null)
    {
        rule ??= AttentionRule.Plain;
        Tensor queries = heads.Queries;
        long length = queries.shape[2], before = cache.Length;
        (Tensor keys, Tensor values) = cache.Append(layer, heads.Keys, heads.Values);                              // [B,G,S,D]
        if (before == 0 && !cache.HasPadding)
            return Attend(new(queries, keys, values), rule);

        // Keys before the first query's window are left out.
        long first = Math.Max(0, before + 1 - (rule.Window ?? before + 1)), count = before + length - first;
        (keys, values) = (keys.narrow(2, first, count), values.narrow(2, first, count));
        Tensor? firstReal = cache.HasPadding ? cache.FindFirstReal(queries.device) : null;
        Tensor? mask = length == 1 && firstReal is null ? null : new CausalMask(before, length, first, rule.Window).ToTensor(queries.device, firstReal);
        queries = rule.Scale(new(queries, keys, values)).Queries;
        if (length > 1)
            return AttendMasked(RepeatKeys(new(queries, keys, values)), mask, rule.ScoreCap);

        // With a single position, the heads that share keys take the place of positions, so that the keys need not be repeated.
        Tensor grouped = queries.reshape(queries.shape[0], keys.shape[1], -1, queries.shape[3]);                   // [B,G,H/G,D]
        return AttendMasked(new(grouped, keys, values), mask, rule.ScoreCap).reshape(queries.shape);               // [B,H,1,D]
    }

    private static Tensor AttendMasked(AttentionHeads heads, Tensor? mask, double? cap) => cap is null
        ? nn.functional.scaled_dot_product_attention(heads.Queries, heads.Keys, heads.Values, mask)
        : AttendByScores(heads, mask, cap, dropout: null);

    // Keys and values [B,G,S,D] to [B,H,S,D].
    private static AttentionHeads RepeatKeys(AttentionHeads heads)
    {
        long repeats = heads.Queries.shape[1] / heads.Keys.shape[1];
        return repeats == 1 ? heads : heads with { Keys = Repeat(heads.Keys, repeats), Values = Repeat(heads.Values, repeats) };
    }

    private static Tensor Repeat(Tensor shared, long repeats)
    {
        Tensor expanded = shared.unsqueeze(2).expand(shared.shape[0], shared.shape[1], repeats, shared.shape[2], shared.shape[3]);  // [B,G,H/G,S,D]
        return expanded.flatten(1, 2);                                                                             // [B,H,S,D]
    }

    // Written out: the fused kernel has no cap, and no dropout with a generator of its own.
    private static Tensor AttendByScores(AttentionHeads heads, Tensor? mask, double? cap, SeededDropout? dropout)
    {
        Tensor scores = heads.Queries.matmul(heads.Keys.transpose(2, 3)).Widen() * Scalars.Of(1 / Math.Sqrt(heads.Queries.shape[3]));     // [B,H,T,S]
        if (cap is { } most)
            scores = (scores / Scalars.Of(most)).tanh() * Scalars.Of(most);
        if (mask is not null)
            scores = scores.masked_fill(mask.logical_not(), Scalars.Of(double.NegativeInfinity));
        Tensor probabilities = scores.softmax(-1).to(heads.Values.dtype);
        return (dropout?.call(probabilities) ?? probabilities).matmul(heads.Values);                               // [B,H,T,D]
    }
}
