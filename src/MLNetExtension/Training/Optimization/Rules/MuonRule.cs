using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization.Rules;

/// <summary>Muon for matrices, AdamW for the rest; see <see cref="MuonOptions"/>.</summary>
internal sealed class MuonRule : IUpdateRule
{
    // Of Moonlight: the root mean square of AdamW's updates.
    private const double UpdateSize = 0.2;

    private readonly double _decay;
    private readonly AdamWCoefficients _adamW;
    private readonly long[] _secondStarts;          // for each piece its start in _second
    private readonly Tensor _first, _second;        // [S]: momentum of matrices, of the rest the mean of gradients; of the rest alone, the mean of their squares

    /// <summary>Creates the rule with a state of zeros.</summary>
    /// <param name="layout">What it updates: whole parameters.</param>
    /// <param name="decay">Decay of the sum of a matrix's gradients.</param>
    /// <param name="adamW">AdamW's coefficients for the rest.</param>
    public MuonRule(UpdateLayout layout, double decay, AdamWCoefficients adamW)
    {
        (_decay, _adamW) = (decay, adamW);
        _secondStarts = new long[layout.Pieces.Count];
        long length = 0;
        foreach (UpdatePiece piece in layout.Pieces)
        {
            _secondStarts[piece.Index] = length;
            if (piece.Parameter!.MatrixRows is null)
                length += piece.Length;
        }
        _first = layout.CreateState();
        _second = layout.CreateState(length);
    }

    public IReadOnlyList<(string Name, Tensor Tensor)> State => [("momentum", _first), ("second_moment", _second)];

    public void Step(in Update update)
    {
        WholeParameter parameter = update.Piece.Parameter!;
        Tensor first = update.Own(_first);
        if (parameter.MatrixRows is not { } rows)
        {
            _adamW.Step(update, first, _second.narrow(0, _secondStarts[update.Piece.Index], update.Piece.Length));
            return;
        }
        first.mul_(Scalars.Of(_decay)).add_(update.Gradient, Scalars.One);
        long columns = parameter.Shape[^1];
        Tensor direction = update.Gradient.add_(first, Scalars.Of(_decay)).view(-1, columns);       // [sum of rows, columns]
        Tensor values = update.Values.view(-1, columns);
        update.ApplyDecay();
        long start = 0;
        foreach (long count in rows)
        {
            using var scope = NewDisposeScope();
            Tensor orthogonal = NewtonSchulz.Orthogonalize(direction.narrow(0, start, count));
            values.narrow(0, start, count).add_(orthogonal, Scalars.Of(-update.LearningRate * UpdateSize * Math.Sqrt(Math.Max(count, columns))));
            start += count;
        }
    }

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
    }
}
