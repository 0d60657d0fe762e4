using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>The heads of an attention layer.</summary>
/// <param name="Queries">H.</param>
/// <param name="Groups">G, heads of keys and of values.</param>
/// <param name="Window">How many positions one attends to, itself included; null for all.</param>
internal readonly record struct HeadCounts(int Queries, int Groups, int? Window = null);

/// <summary>
/// Causal attention in tiles of queries, with a backward pass written by hand that computes the probabilities again: a tile meets only the keys up to its end, so that about half of the products are left out,
/// and nothing is kept but the result. Rows of nearly the same length are computed together: a row's padding comes after it, where causality hides it.
/// P positions of all rows, n rows together, L positions of the longest, H heads of queries, G of keys and of values, R = H/G, D width of a head; t queries of a tile, S keys that they may see.
/// </summary>
internal static class TiledAttention
{
    private const int TileSize = 64;

    private static readonly Tensor _future = full([TileSize, TileSize], double.NegativeInfinity, dtype: float64).triu(1).DetachFromDisposeScope();
    private static readonly Tensor _future32 = _future.to(float32).DetachFromDisposeScope();

    /// <summary>Attends from each position to itself and to those before it in its row.</summary>
    /// <param name="heads">Queries, keys and values, [P,H+2G,D].</param>
    /// <param name="counts">Which of them are which.</param>
    /// <param name="layout">How rows are arranged in the positions.</param>
    /// <returns>[P,H D].</returns>
    public static Tensor Forward(Tensor heads, HeadCounts counts, SequenceLayout layout)
    {
        using var scope = NewDisposeScope();
        Tensor mixed = empty([heads.shape[0], counts.Queries, heads.shape[2]], dtype: heads.dtype, device: heads.device);
        foreach (RowGroup group in layout.GroupRows(heads.shape[0]))
        {
            using var rowScope = NewDisposeScope();
            Tensor rows = group.Gather(heads), result = group.IsRagged || mixed.dtype != rows.dtype ? rows.narrow(2, 0, counts.Queries) : group.Gather(mixed);
            foreach (Tile tile in Tile.Cover(rows, counts))
            {
                using var tileScope = NewDisposeScope();
                tile.Write(result, tile.Probabilities().bmm(tile.Values));
            }
            if (group.IsRagged || mixed.dtype != rows.dtype)
                group.Scatter(result, mixed);
        }
        return mixed.flatten(1).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the gradient of queries, keys and values.</summary>
    /// <param name="gradient">Of the result, [P,H D].</param>
    /// <param name="mixed">The result, [P,H D].</param>
    /// <param name="heads">What it was computed from, [P,H+2G,D].</param>
    /// <param name="counts">Which of them are which.</param>
    /// <param name="layout">How rows are arranged in the positions.</param>
    /// <returns>[P,H+2G,D].</returns>
    public static Tensor Backward(Tensor gradient, Tensor mixed, Tensor heads, HeadCounts counts, SequenceLayout layout)
    {
        using var scope = NewDisposeScope();
        Tensor headGradient = empty_like(heads);
        long[] shape = [heads.shape[0], counts.Queries, heads.shape[2]];
        foreach (RowGroup group in layout.GroupRows(heads.shape[0]))
        {
            using var rowScope = NewDisposeScope();
            Tensor rows = group.Gather(heads), result = group.Gather(mixed.view(shape)), resultGradient = group.Gather(gradient.view(shape));
            bool direct = !group.IsRagged && headGradient.dtype == rows.dtype;
            Tensor rowGradient = direct ? group.Gather(headGradient) : empty_like(rows);
            rowGradient.narrow(2, counts.Queries, 2L * counts.Groups).zero_();
            foreach (Tile tile in Tile.Cover(rows, counts))
            {
                using var tileScope = NewDisposeScope();
                tile.GoBack(tile.ReadQueries(resultGradient), tile.ReadQueries(result), rowGradient);
            }
            if (!direct)
                group.Scatter(rowGradient, headGradient);
        }
        return headGradient.MoveToOuterDisposeScope();
    }

    // Some queries of each row and the keys and values that they may see. All tensors are [n G,R t,...] or [n G,S,...].
    private sealed class Tile
    {
        private readonly HeadCounts _counts;
        private readonly long _first, _count, _firstKey, _end;
        private readonly double _scale;
        private readonly Tensor _queries, _keys;

        private Tile(Tensor rows, HeadCounts counts, long first)
        {
            (_counts, _first, _count) = (counts, first, Math.Min(TileSize, rows.shape[1] - first));
            _end = first + _count;
            _firstKey = Math.Max(0, first + 1 - (counts.Window ?? first + 1));
            _scale = 1 / Math.Sqrt(rows.shape[3]);
            _queries = ReadQueries(rows).mul(_scale);
            _keys = Read(rows, counts.Queries);
            Values = Read(rows, counts.Queries + counts.Groups);
        }

        public Tensor Values { get; }

        private long Keys => _end - _firstKey;

        private long Shared => _counts.Queries / _counts.Groups;

        public static IEnumerable<Tile> Cover(Tensor rows, HeadCounts counts)
        {
            for (long first = 0; first < rows.shape[1]; first += TileSize)
                yield return new Tile(rows, counts, first);
        }

        // softmax(Q K' / sqrt(D)) over the keys that a query may see, [n G,R t,S].
        public Tensor Probabilities()
        {
            Tensor scores = _queries.bmm(_keys.transpose(1, 2));
            Tensor byQuery = scores.view(-1, _count, Keys);
            if (_firstKey > 0 || _end > _counts.Window)
                byQuery.masked_fill_(new CausalMask(_first, _count, _firstKey, _counts.Window).ToTensor(scores.device).logical_not(), double.NegativeInfinity);
            else
                byQuery.narrow(2, Keys - _count, _count).add_((scores.dtype == float64 ? _future : _future32).narrow(0, 0, _count).narrow(1, 0, _count));
            return scores.softmax(-1);
        }

        // With P the probabilities and g the gradient of the result o: dV = P' g; the gradient of the scores is P (g V' - sum(g o)).
        public void GoBack(Tensor gradient, Tensor result, Tensor rowGradient)
        {
            Tensor probabilities = Probabilities();
            Add(rowGradient, _counts.Queries + _counts.Groups, probabilities.transpose(1, 2).bmm(gradient));
            Tensor scores = gradient.bmm(Values.transpose(1, 2)).sub_((gradient * result).sum(-1, keepdim: true)).mul_(probabilities);
            Write(rowGradient, scores.bmm(_keys).mul_(_scale));
            Add(rowGradient, _counts.Queries, scores.transpose(1, 2).bmm(_queries));
        }

        // The tile's queries of [n,L,H...,D], where heads that share keys take the place of positions: [n G,R t,D].
        public Tensor ReadQueries(Tensor rows) =>
            QueriesOf(rows).permute(0, 2, 3, 1, 4).reshape(-1, Shared * _count, rows.shape[3]);

        // Writes [n G,R t,D] to the tile's queries of [n,L,H...,D].
        public void Write(Tensor rows, Tensor queries)
        {
            Tensor target = QueriesOf(rows);
            target.copy_(queries.view(rows.shape[0], _counts.Groups, Shared, _count, -1).permute(0, 3, 1, 2, 4));
        }

        // [n,t,G,R,D]
        private Tensor QueriesOf(Tensor rows) =>
            rows.narrow(1, _first, _count).narrow(2, 0, _counts.Queries).view(rows.shape[0], _count, _counts.Groups, Shared, rows.shape[3]);

        // [n G,S,D]
        private Tensor Read(Tensor rows, int firstHead) =>
            rows.narrow(1, _firstKey, Keys).narrow(2, firstHead, _counts.Groups).transpose(1, 2).flatten(0, 1);

        private void Add(Tensor rows, int firstHead, Tensor values) =>
            rows.narrow(1, _firstKey, Keys).narrow(2, firstHead, _counts.Groups).add_(values.view(rows.shape[0], _counts.Groups, Keys, -1).transpose(1, 2));
    }
}
