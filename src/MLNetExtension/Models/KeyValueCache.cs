using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>
/// Keys and values of the positions that rows have already passed through a model, so that the next positions attend to them without computing them again.
/// B rows, S positions so far, padding included, t new ones, H heads of keys, D width of a head.
/// </summary>
/// <remarks>
/// <para>Rows of unequal length lie side by side with their ends aligned: a shorter row is filled up at its left end with any ids, and
/// <c>leftPadding</c> says how many. No real position attends to padding, and positions are counted from a row's first real token, so each row gives what it gives alone.</para>
/// <para>It belongs to one sequence of calls of <see cref="CausalLanguageModel.Hidden(Tensor, KeyValueCache)"/> of one model and to one thread at a time; any number of them may share a model.
/// It outlives dispose scopes and frees its tensors when it is disposed of.</para>
/// </remarks>
internal sealed class KeyValueCache : IDisposable
{
    private const long SmallestCapacity = 64;

    private readonly Dictionary<object, (Tensor Keys, Tensor Values)> _layers = new(ReferenceEqualityComparer.Instance);
    private readonly long[]? _leftPadding;
    private Tensor? _firstReal;                                     // [B] int64

    /// <summary>Makes an empty cache.</summary>
    /// <param name="leftPadding">How many ids each row is filled up with at its left end; null where no row is.</param>
    public KeyValueCache(IReadOnlyList<int>? leftPadding = null) =>
        _leftPadding = leftPadding is null || leftPadding.All(count => count == 0) ? null : [.. leftPadding.Select(count => (long)count)];

    /// <summary>S, the number of positions that it holds, padding included.</summary>
    public long Length { get; private set; }

    /// <summary>Whether some row is filled up at its left end.</summary>
    internal bool HasPadding => _leftPadding is not null;

    /// <summary>Keeps what an attention layer computed for the new positions and gives it together with all before.</summary>
    /// <param name="layer">The layer, the same object each time.</param>
    /// <param name="keys">[B,H,t,D].</param>
    /// <param name="values">[B,H,t,D].</param>
    /// <returns>Views, [B,H,S+t,D], good until the next call.</returns>
    internal (Tensor Keys, Tensor Values) Append(object layer, Tensor keys, Tensor values)
    {
        long end = Length + keys.shape[2];
        if (!_layers.TryGetValue(layer, out var held) || held.Keys.shape[2] < end)
            _layers[layer] = held = Grown(held, keys, values, Math.Max(Math.Max(end, SmallestCapacity), 2 * Length));
        using (var scope = NewDisposeScope())
        {
            held.Keys.narrow(2, Length, keys.shape[2]).copy_(keys);
            held.Values.narrow(2, Length, keys.shape[2]).copy_(values);
        }
        return (held.Keys.narrow(2, 0, end), held.Values.narrow(2, 0, end));
    }

    /// <summary>Gives each new position its entry of a table, counted from the row's first real token; padding takes the first entry.</summary>
    /// <param name="table">[longest,...].</param>
    /// <param name="count">t.</param>
    /// <returns>[t,...], or [B,t,...] where rows are filled up.</returns>
    internal Tensor Positions(Tensor table, long count)
    {
        if (!HasPadding)
            return table.narrow(0, Length, count);
        Tensor positions = (arange(Length, Length + count, device: table.device) - FindFirstReal(table.device).unsqueeze(1)).clamp(min: 0);     // [B,t]
        return table.index_select(0, positions.flatten()).view([.. positions.shape, .. table.shape.Skip(1)]);
    }

    /// <summary>The index of each row's first real token, [B] int64; the cache's own.</summary>
    /// <param name="device">Where it is asked for.</param>
    internal Tensor FindFirstReal(Device device) => _firstReal ??= tensor(_leftPadding!, device: device).DetachFromDisposeScope();

    /// <summary>Moves on after all layers have seen the new positions.</summary>
    internal void Advance(long count) => Length += count;

    /// <summary>Keeps some rows, in a given order: to drop rows that are finished, or to repeat one.</summary>
    /// <param name="rows">Indices of rows that the cache holds.</param>
    /// <returns>A cache of its own; this one is left as it is.</returns>
    public KeyValueCache Select(IReadOnlyList<int> rows)
    {
        KeyValueCache selected = new(_leftPadding is null ? null : [.. rows.Select(row => (int)_leftPadding[row])]) { Length = Length };
        using var scope = NewDisposeScope();
        foreach ((object layer, (Tensor keys, Tensor values)) in _layers)
        {
            Tensor indices = tensor([.. rows.Select(row => (long)row)], device: keys.device);
            selected._layers[layer] = (keys.index_select(0, indices).DetachFromDisposeScope(), values.index_select(0, indices).DetachFromDisposeScope());
        }
        return selected;
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

    private (Tensor, Tensor) Grown((Tensor Keys, Tensor Values) held, Tensor keys, Tensor values, long capacity)
    {
        using var scope = NewDisposeScope();
        return (Grown(held.Keys, keys, capacity), Grown(held.Values, values, capacity));
    }

    private Tensor Grown(Tensor? held, Tensor like, long capacity)
    {
        Tensor grown = empty([like.shape[0], like.shape[1], capacity, like.shape[3]], dtype: like.dtype, device: like.device).DetachFromDisposeScope();
        if (held is null)
            return grown;
        grown.narrow(2, 0, Length).copy_(held.narrow(2, 0, Length));
        held.Dispose();
        return grown;
    }
}
