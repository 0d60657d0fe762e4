using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// Attention by libtorch's kernel, which goes forward and back group by group: rows of nearly the same length together, since a row's padding comes after it, where causality hides it. Queries that share keys
/// take turns with them, so that keys and values are never repeated. Where scores are capped, which takes all of them at a time, they are not kept but computed again in the backward pass.
/// </summary>
internal sealed class GroupedRowAttention : RowAttention
{
    private readonly List<Group> _groups = [];
    private readonly HeadCounts _counts;
    private readonly long _positions;

    /// <inheritdoc cref="RowAttention.Attend"/>
    public GroupedRowAttention(Tensor heads, HeadCounts counts, Tape tape)
    {
        (_counts, _positions) = (counts, heads.shape[0]);
        foreach (RowGroup rows in tape.Layout.GroupRows(_positions))
            _groups.Add(Group.Attend(rows, heads, counts, tape));
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Kept => [.. _groups.SelectMany(group => group.All)];

    /// <inheritdoc/>
    public override Tensor JoinResults()
    {
        Tensor first = _groups[0].Results[0];
        Tensor mixed = empty([_positions, _counts.Groups, _counts.Shared, first.shape[3]], dtype: first.dtype, device: first.device);
        foreach (Group group in _groups)
        {
            for (int r = 0; r < group.Results.Length; r++)
                group.Rows.Scatter(group.Results[r].transpose(1, 2), mixed.select(2, r));
        }
        return mixed.flatten(1);
    }

    /// <inheritdoc/>
    public override Tensor Backward(Tensor gradient)
    {
        long width = gradient.shape[1] / _counts.Queries;
        Tensor results = gradient.view(_positions, _counts.Groups, _counts.Shared, width);
        Tensor heads = empty([_positions, _counts.Queries + 2 * _counts.Groups, width], dtype: gradient.dtype, device: gradient.device);
        Tensor queries = heads.narrow(1, 0, _counts.Queries).view(results.shape);
        foreach (Group group in _groups)
        {
            using var scope = NewDisposeScope();
            for (int r = 0; r < group.Results.Length; r++)
            {
                group.TrackResult(r, _counts).backward([group.Rows.Gather(results.select(2, r)).transpose(1, 2)]);
                group.Rows.Scatter(group.Queries[r].grad!.transpose(1, 2), queries.select(2, r));
            }
            group.Rows.Scatter(group.Keys.grad!.transpose(1, 2), heads.narrow(1, _counts.Queries, _counts.Groups));
            group.Rows.Scatter(group.Values.grad!.transpose(1, 2), heads.narrow(1, _counts.Queries + _counts.Groups, _counts.Groups));
        }
        return heads;
    }

    // Each [n,G,L,D], of n rows of at most L positions: queries and results R times, keys and values once.
    private sealed record Group(RowGroup Rows, Tensor[] Queries, Tensor Keys, Tensor Values, Tensor[] Results)
    {
        public static Group Attend(RowGroup rows, Tensor heads, HeadCounts counts, Tape tape)
        {
            using var _ = enable_grad(tape.Keeps && counts.Rule?.ScoreCap is null);
            Tensor all = rows.Gather(heads);                                                                        // [n,L,H+2G,D]
            Tensor queries = all.narrow(2, 0, counts.Queries).view(all.shape[0], all.shape[1], counts.Groups, counts.Shared, all.shape[3]);
            Tensor[] shared = [.. Enumerable.Range(0, counts.Shared).Select(r => Leaf(queries.select(3, r)))];
            Tensor keys = Leaf(all.narrow(2, counts.Queries, counts.Groups)), values = Leaf(all.narrow(2, counts.Queries + counts.Groups, counts.Groups));
            Tensor[] results = [.. shared.Select(q => CausalAttention.Attend(new AttentionHeads(q, keys, values), counts.Rule))];
            return new Group(rows, shared, keys, values, results);
        }

        /// <summary>Gives a result that automatic differentiation can go back from.</summary>
        public Tensor TrackResult(int r, HeadCounts counts)
        {
            if (Results[r].requires_grad)
                return Results[r];
            using var _ = enable_grad();
            return CausalAttention.Attend(new AttentionHeads(Queries[r], Keys, Values), counts.Rule);
        }

        public IEnumerable<Tensor> All => [.. Queries, Keys, Values, .. Results];

        private static Tensor Leaf(Tensor rows) => rows.transpose(1, 2).detach().requires_grad_();
    }
}
