using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>Attention by <see cref="WideAttention"/>, whose backward pass needs the heads, the results and a number for each query.</summary>
internal sealed class WideRowAttention : RowAttention
{
    private readonly Tensor _heads, _results;
    private readonly Tensor? _logSums;
    private readonly HeadCounts _counts;
    private readonly Tape _tape;

    /// <inheritdoc cref="RowAttention.Attend"/>
    public WideRowAttention(Tensor heads, HeadCounts counts, Tape tape)
    {
        long positions = heads.shape[0];
        (_heads, _counts, _tape) = (heads.alias(), counts, tape);
        _results = tape.Allocate(heads, positions, counts.Queries * heads.shape[2]);
        _logSums = tape.Keeps ? tape.Allocate(heads, counts.Queries, positions) : null;
        WideAttention.Attend(_heads, counts, _tape.Layout.RowLengths(positions), _results, _logSums);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Kept => _logSums is null ? [] : [_heads, _results, _logSums];

    /// <inheritdoc/>
    public override Tensor JoinResults() => _results;

    /// <inheritdoc/>
    public override Tensor Backward(Tensor gradient)
    {
        Tensor result = _tape.AllocateTemporary(_heads, _heads.shape[0], _heads.shape[1] * _heads.shape[2]).view(_heads.shape);
        WideAttention.Backward(_heads, _counts, _tape.Layout.RowLengths(_heads.shape[0]), _results, _logSums!, gradient.contiguous(), result);
        return result;
    }
}
