using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// Attention of each position to itself and to those before it, all of them or the nearest only. B rows, T positions, S positions attended to, H heads of queries and
/// G of keys and values, where each of the G serves H/G neighbours (Ainslie et al. 2023), D width of a head.
/// </summary>
internal static class CausalAttention
{
    /// <summary>Attends within the given positions.</summary>
    /// <param name="queries">[B,H,T,D].</param>
    /// <param name="keys">[B,G,T,D].</param>
    /// <param name="values">[B,G,T,D].</param>
    /// <param name="window">How many positions one attends to, itself included; null for all.</param>
    /// <param name="dropout">Dropout of the attention probabilities; null for none.</param>
    /// <returns>[B,H,T,D].</returns>
    public static Tensor Attend(Tensor queries, Tensor keys, Tensor values, int? window = null, SeededDropout? dropout = null)
    {
        long length = queries.shape[2];
        bool cut = window < length;
        (keys, values) = (PerHead(keys, queries), PerHead(values, queries));
        if (dropout is { IsActive: true })
            return Written(queries, keys, values, Mask(0, 0, length, window, null, queries.device), dropout);
        return cut
            ? nn.functional.scaled_dot_product_attention(queries, keys, values, Mask(0, 0, length, window, null, queries.device))
            : nn.functional.scaled_dot_product_attention(queries, keys, values, is_casual: true);
    }

    /// <summary>Attends to the given positions and to those in a cache, which takes the given ones in.</summary>
    /// <param name="layer">The layer, under which the cache keeps its keys and values.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="queries">[B,H,T,D].</param>
    /// <param name="keys">[B,G,T,D].</param>
    /// <param name="values">[B,G,T,D].</param>
    /// <param name="window">How many positions one attends to, itself included; null for all.</param>
    /// <returns>[B,H,T,D].</returns>
    public static Tensor AttendCached(object layer, KeyValueCache cache, Tensor queries, Tensor keys, Tensor values, int? window = null)
    {
        long length = queries.shape[2], before = cache.Length;
        (keys, values) = cache.Append(layer, keys, values);                                                        // [B,G,S,D]
        if (before == 0 && !cache.HasPadding)
            return Attend(queries, keys, values, window);

        long first = Math.Max(0, before + 1 - (window ?? before + 1)), seen = before + length - first;
        (keys, values) = (keys.narrow(2, first, seen), values.narrow(2, first, seen));
        Tensor? mask = length == 1 && !cache.HasPadding ? null
            : Mask(before, first, length, window, cache.HasPadding ? cache.FindFirstReal(queries.device) : null, queries.device);
        if (length > 1)
            return nn.functional.scaled_dot_product_attention(queries, PerHead(keys, queries), PerHead(values, queries), mask);

        // A single position: heads that share keys stand in for positions, so that the keys need not be repeated.
        Tensor grouped = queries.reshape(queries.shape[0], keys.shape[1], -1, queries.shape[3]);                   // [B,G,H/G,D]
        return nn.functional.scaled_dot_product_attention(grouped, keys, values, mask).reshape(queries.shape);
    }

    // [B,G,S,D] to [B,H,S,D]
    private static Tensor PerHead(Tensor shared, Tensor queries)
    {
        long rows = shared.shape[0], groups = shared.shape[1], each = queries.shape[1] / groups;
        return each == 1 ? shared : shared.unsqueeze(2).expand(rows, groups, each, shared.shape[2], shared.shape[3]).flatten(1, 2);
    }

    // True where a query may see a key, [T,S] or [B,1,T,S]. Queries stand at start, start + 1, ...; keys at first, ..., start + T - 1. A query in the padding sees itself, lest
    // its softmax be over nothing: what it gives is never looked at.
    private static Tensor Mask(long start, long first, long length, int? window, Tensor? firstReal, Device device)
    {
        Tensor at = arange(start, start + length, device: device).unsqueeze(1);                                    // [T,1]
        Tensor keys = arange(first, start + length, device: device).unsqueeze(0);                                  // [1,S]
        Tensor mask = keys.le(at);
        if (window is not null)
            mask = mask.logical_and(keys.gt(at - window.Value));
        return firstReal is null ? mask : mask.logical_and(keys.ge(firstReal.view(-1, 1, 1, 1)).logical_or(keys.eq(at)));
    }

    private static Tensor Written(Tensor queries, Tensor keys, Tensor values, Tensor mask, SeededDropout dropout)
    {
        Tensor scores = queries.matmul(keys.transpose(2, 3)) * (1 / Math.Sqrt(queries.shape[3]));                  // [B,H,T,S]
        return dropout.call(scores.masked_fill(mask.logical_not(), double.NegativeInfinity).softmax(-1)).matmul(values);
    }
}
