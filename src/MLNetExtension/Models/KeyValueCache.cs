using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>
/// The attention keys and values of the positions that a model has already processed, so that the next positions attend to them without computing them again.
/// B rows, S positions so far, padding included, t new ones, H heads of keys, D width of a head.
/// </summary>
/// <remarks>
/// <para>Rows of unequal length are side by side with their ends aligned: a shorter row is padded at its left end with any ids, and
/// <c>leftPadding</c> is their number. No real position attends to padding, and positions are counted from a row's first real token, so each row's result is the same as alone.</para>
/// <para>Rows join and leave between two calls, see <see cref="Join"/> and <see cref="Select"/>; what the others give does not change.</para>
/// <para>It belongs to one sequence of calls of <see cref="CausalLanguageModel.ComputeHidden(Tensor, KeyValueCache)"/> of one model and to one thread at a time; any number of them may share a model.
/// It outlives dispose scopes and frees its tensors when it is disposed.</para>
/// </remarks>
internal sealed class KeyValueCache : IDisposable
{
    private const long SmallestCapacity = 64;

    private readonly Dictionary<object, (Tensor Keys, Tensor Values)> _layers = new(ReferenceEqualityComparer.Instance);
    private readonly long[] _leftPadding;
    private Tensor? _firstReal;                                     // [B] int64

    /// <summary>Creates an empty cache.</summary>
    /// <param name="leftPadding">How many ids each row is padded with at its left end; null where no row is padded and none will join or leave.</param>
    public KeyValueCache(IReadOnlyList<int>? leftPadding = null)
        : this([.. leftPadding?.Select(count => (long)count) ?? []], length: 0)
    {
    }

    private KeyValueCache(long[] leftPadding, long length)
    {
        (_leftPadding, Length) = (leftPadding, length);
        HasPadding = leftPadding.Any(count => count > 0);
    }

    /// <summary>S, the number of positions in the cache, padding included.</summary>
    public long Length { get; private set; }

    /// <summary>Whether some row is padded.</summary>
    public bool HasPadding { get; }

    /// <summary>Stores an attention layer's keys and values of the new positions and returns them together with all before.</summary>
    /// <param name="layer">The layer, the same object each time.</param>
    /// <param name="keys">[B,H,t,D].</param>
    /// <param name="values">[B,H,t,D].</param>
    /// <returns>Views, [B,H,S+t,D], valid until the next call.</returns>
    public (Tensor Keys, Tensor Values) Append(object layer, Tensor keys, Tensor values)
    {
        long end = Length + keys.shape[2];
        if (!_layers.TryGetValue(layer, out (Tensor Keys, Tensor Values) stored) || stored.Keys.shape[2] < end)
        {
            long capacity = Math.Max(Math.Max(end, SmallestCapacity), 2 * Length);
            stored = (Grow(stored.Keys, keys, capacity), Grow(stored.Values, values, capacity));
            _layers[layer] = stored;
        }
        using (var scope = NewDisposeScope())
        {
            stored.Keys.narrow(2, Length, keys.shape[2]).copy_(keys);
            stored.Values.narrow(2, Length, keys.shape[2]).copy_(values);
        }
        return (stored.Keys.narrow(2, 0, end), stored.Values.narrow(2, 0, end));
    }

    /// <summary>Looks up each new position, counted from the row's first real token, in the table for rows of that length; padding gets the first entry.</summary>
    /// <param name="tableOf">Gives a table, [longest,...], by the length of a row with its new positions.</param>
    /// <param name="count">t.</param>
    /// <returns>[t,...], or [B,t,...] where rows are padded.</returns>
    public Tensor SelectPositions(Func<long, Tensor> tableOf, long count)
    {
        if (!HasPadding)
            return tableOf(Length + count).narrow(0, Length, count);
        Tensor[] tables = [.. _leftPadding.Select(padding => tableOf(Length + count - padding))];
        Tensor first = tables[0];
        Tensor positions = (arange(Scalars.Of(Length), Scalars.Of(Length + count), device: first.device) - FindFirstReal(first.device).unsqueeze(1)).clamp(min: Scalars.Zero);     // [B,t]
        return tables.All(table => ReferenceEquals(table, first))
            ? first.index_select(0, positions.flatten()).view([.. positions.shape, .. first.shape.Skip(1)])        // [B,t,...]
            : stack([.. tables.Select((table, row) => table.index_select(0, positions[row]))]);
    }

    /// <summary>Whether some row is no longer than a limit, and will be with new positions.</summary>
    /// <param name="limit">A length of a row, padding left out.</param>
    /// <param name="count">t.</param>
    public bool Crosses(long limit, long count) =>
        (HasPadding ? _leftPadding : [0]).Any(padding => Length > padding && Length - padding <= limit && Length - padding + count > limit);

    /// <summary>Finds the position of each row's first real token, [B] int64; the tensor belongs to the cache.</summary>
    /// <param name="device">Where it is needed.</param>
    public Tensor FindFirstReal(Device device) => _firstReal ??= tensor(_leftPadding, device: device).DetachFromDisposeScope();

    /// <summary>Adds the new positions to <see cref="Length"/>, after all layers have stored them.</summary>
    public void Advance(long count) => Length += count;

    /// <summary>Copies some rows, in a given order, for instance to drop rows that are finished or to repeat one. Padding that all of them have is left out.</summary>
    /// <param name="rows">Indices of rows of the cache, at least one.</param>
    /// <returns>Another cache; this one does not change.</returns>
    public KeyValueCache Select(IReadOnlyList<int> rows)
    {
        long[] padding = [.. rows.Select(row => _leftPadding[row])];
        long superfluous = padding.Min();
        KeyValueCache selected = new([.. padding.Select(count => count - superfluous)], Length - superfluous);
        using var scope = NewDisposeScope();
        foreach ((object layer, (Tensor keys, Tensor values)) in _layers)
        {
            Tensor indices = tensor([.. rows.Select(row => (long)row)], device: keys.device);
            selected._layers[layer] = (SelectRows(keys), SelectRows(values));

            Tensor SelectRows(Tensor stored) => stored.narrow(2, superfluous, stored.shape[2] - superfluous).index_select(0, indices).DetachFromDisposeScope();
        }
        return selected;
    }

    /// <summary>Copies the rows of this cache and, behind them, those of another one of the same model. The rows of the shorter are padded at their left end.</summary>
    /// <param name="other">The other cache.</param>
    /// <returns>A third cache; these two do not change.</returns>
    public KeyValueCache Join(KeyValueCache other)
    {
        long length = Math.Max(Length, other.Length);
        KeyValueCache joined = new([.. PaddingAt(length), .. other.PaddingAt(length)], length);
        using var scope = NewDisposeScope();
        foreach ((object layer, (Tensor keys, Tensor values)) in _layers)
        {
            (Tensor otherKeys, Tensor otherValues) = other._layers[layer];
            joined._layers[layer] = (JoinRows(keys, otherKeys), JoinRows(values, otherValues));
        }
        return joined;

        Tensor JoinRows(Tensor first, Tensor second)
        {
            // Zeros and not just any numbers: the padding has the weight 0 in every sum, and 0 times NaN is NaN.
            Tensor rows = zeros([first.shape[0] + second.shape[0], first.shape[1], length + SmallestCapacity, first.shape[3]], dtype: first.dtype, device: first.device);
            rows.narrow(0, 0, first.shape[0]).narrow(2, length - Length, Length).copy_(first.narrow(2, 0, Length));
            rows.narrow(0, first.shape[0], second.shape[0]).narrow(2, length - other.Length, other.Length).copy_(second.narrow(2, 0, other.Length));
            return rows.DetachFromDisposeScope();
        }
    }

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        foreach ((Tensor keys, Tensor values) in _layers.Values)
        {
            keys.Dispose();
            values.Dispose();
        }
        _layers.Clear();
        _firstReal?.Dispose();
    }

    // How many ids each row is padded with in a cache of this length.
    private IEnumerable<long> PaddingAt(long length) => _leftPadding.Select(count => count + length - Length);

    // Copies what is stored into a larger buffer, [B,H,capacity,D].
    private Tensor Grow(Tensor? stored, Tensor like, long capacity)
    {
        using var scope = NewDisposeScope();
        Tensor grown = empty([like.shape[0], like.shape[1], capacity, like.shape[3]], dtype: like.dtype, device: like.device).DetachFromDisposeScope();
        if (stored is null)
            return grown;
        grown.narrow(2, 0, Length).copy_(stored.narrow(2, 0, Length));
        stored.Dispose();
        return grown;
    }
}
