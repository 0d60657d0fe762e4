using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>The queries, keys and values of an attention layer, in the notation of <see cref="CausalAttention"/>.</summary>
/// <param name="Queries">[B,H,T,D].</param>
/// <param name="Keys">[B,G,S,D].</param>
/// <param name="Values">[B,G,S,D].</param>
internal readonly record struct AttentionHeads(Tensor Queries, Tensor Keys, Tensor Values);

/// <summary>
/// Attention of each position to itself and to those before it, all of them or the nearest only. B rows, T positions, S positions attended to, H heads of queries and
/// G of keys and values, where each of the G serves H/G neighbors (Ainslie et al. 2023), D width of a head.
/// </summary>
internal static class CausalAttention
{
    /// <summary>Attends within the given positions.</summary>
    /// <param name="heads">Queries, keys and values of the same positions: S is T.</param>
    /// <param name="window">How many positions one attends to, itself included; null for all.</param>
    /// <param name="dropout">Dropout of the attention probabilities; null for none.</param>
    /// <returns>[B,H,T,D].</returns>
    public static Tensor Attend(AttentionHeads heads, int? window = null, SeededDropout? dropout = null)
    {
        long length = heads.Queries.shape[2];
        CausalMask mask = new(FirstQuery: 0, Queries: length, Window: window);
        (Tensor queries, Tensor keys, Tensor values) = RepeatKeys(heads);
        if (dropout is { IsActive: true })
            return AttendWithDropout(new(queries, keys, values), mask.ToTensor(queries.device), dropout);
        return window < length
            ? nn.functional.scaled_dot_product_attention(queries, keys, values, mask.ToTensor(queries.device))
            : nn.functional.scaled_dot_product_attention(queries, keys, values, is_casual: true);
    }

    /// <summary>Attends to the given positions and to those in a cache, to which the given ones are added.</summary>
    /// <param name="heads">Queries, keys and values of the new positions: S is T.</param>
    /// <param name="layer">The layer, under which the cache stores its keys and values.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="window">How many positions one attends to, itself included; null for all.</param>
    /// <returns>[B,H,T,D].</returns>
    public static Tensor AttendCached(AttentionHeads heads, object layer, KeyValueCache cache, int? window = null)
    {
        Tensor queries = heads.Queries;
        long length = queries.shape[2], before = cache.Length;
        (Tensor keys, Tensor values) = cache.Append(layer, heads.Keys, heads.Values);                              // [B,G,S,D]
        if (before == 0 && !cache.HasPadding)
            return Attend(new(queries, keys, values), window);

        // Keys before the first query's window are left out.
        long first = Math.Max(0, before + 1 - (window ?? before + 1)), count = before + length - first;
        (keys, values) = (keys.narrow(2, first, count), values.narrow(2, first, count));
        Tensor? firstReal = cache.HasPadding ? cache.FindFirstReal(queries.device) : null;
        Tensor? mask = length == 1 && firstReal is null ? null : new CausalMask(before, length, first, window).ToTensor(queries.device, firstReal);
        if (length > 1)
        {
            AttentionHeads repeated = RepeatKeys(new(queries, keys, values));
            return nn.functional.scaled_dot_product_attention(queries, repeated.Keys, repeated.Values, mask);
        }

        // With a single position, the heads that share keys take the place of positions, so that the keys need not be repeated.
        Tensor grouped = queries.reshape(queries.shape[0], keys.shape[1], -1, queries.shape[3]);                   // [B,G,H/G,D]
        return nn.functional.scaled_dot_product_attention(grouped, keys, values, mask).reshape(queries.shape);     // [B,H,1,D]
    }

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

    // Written out, because the fused kernel has no dropout with a generator of its own.
    private static Tensor AttendWithDropout(AttentionHeads heads, Tensor mask, SeededDropout dropout)
    {
        Tensor scores = heads.Queries.matmul(heads.Keys.transpose(2, 3)) * (1 / Math.Sqrt(heads.Queries.shape[3]));     // [B,H,T,S]
        Tensor probabilities = scores.masked_fill(mask.logical_not(), double.NegativeInfinity).softmax(-1);
        return dropout.call(probabilities).matmul(heads.Values);                                                   // [B,H,T,D]
    }
}
