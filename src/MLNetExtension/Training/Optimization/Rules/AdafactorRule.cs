using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization.Rules;

/// <summary>Adafactor, see <see cref="AdafactorOptions"/>.</summary>
internal sealed class AdafactorRule : IUpdateRule
{
    // The paper's constants: the exponent of beta2's course, what is added to squared gradients, and the least size of a parameter.
    private const double BetaExponent = -0.8, SquareFloor = 1e-30, SizeFloor = 1e-3;

    private readonly double _threshold;
    private readonly (long Rows, long Columns, long Start)[] _means;     // for each piece: how many rows and columns have a mean, and where they begin
    private readonly Tensor _second;                                     // rows, then columns, of each matrix; every number of each vector

    /// <summary>Creates the rule with a state of zeros.</summary>
    /// <param name="layout">What it updates: whole parameters.</param>
    /// <param name="threshold">The root mean square that a longer update is scaled down to.</param>
    public AdafactorRule(UpdateLayout layout, double threshold)
    {
        _threshold = threshold;
        _means = new (long, long, long)[layout.Pieces.Count];
        long length = 0;
        foreach (UpdatePiece piece in layout.Pieces)
        {
            long columns = piece.Parameter!.Shape is { Length: >= 2 } shape ? shape[^1] : 0;
            long rows = columns == 0 ? piece.Length : piece.Length / columns;
            _means[piece.Index] = (rows, columns, length);
            length += rows + columns;
        }
        _second = layout.CreateState(length);
    }

    public IReadOnlyList<(string Name, Tensor Tensor)> State => [("second_moment", _second)];

    public void Step(in Update update)
    {
        double decay = 1 - Math.Pow(update.Steps, BetaExponent);
        double rate = update.LearningRate * Math.Max(SizeFloor, RootMeanSquare(update.Values));
        Tensor step = DivideByRoot(update, decay);
        double size = RootMeanSquare(step);
        update.ApplyDecay();
        update.Values.add_(step, Scalars.Of(-rate / Math.Max(1, size / _threshold)));
    }

    public void Dispose() => _second.Dispose();

    // The gradient, divided in its place by the root of the mean of its square.
    private Tensor DivideByRoot(in Update update, double decay)
    {
        (long rows, long columns, long start) = _means[update.Piece.Index];
        Tensor square = update.Gradient.pow(Scalars.Two).add_(Scalars.Of(SquareFloor), Scalars.One);
        if (columns == 0)
        {
            Tensor means = Move(_second.narrow(0, start, rows), square, decay);
            return update.Gradient.div_(means.sqrt());
        }
        square = square.view(rows, columns);
        Tensor ofRows = Move(_second.narrow(0, start, rows), square.mean([1]), decay);                         // [rows]
        Tensor ofColumns = Move(_second.narrow(0, start + rows, columns), square.mean([0]), decay);            // [columns]
        Tensor gradient = update.Gradient.view(rows, columns);
        gradient.div_((ofRows / ofRows.mean()).sqrt_().unsqueeze(1)).div_(ofColumns.sqrt().unsqueeze(0));
        return update.Gradient;
    }

    private static Tensor Move(Tensor mean, Tensor next, double decay) => mean.mul_(Scalars.Of(decay)).add_(next, Scalars.Of(1 - decay));

    private static double RootMeanSquare(Tensor values) => Math.Sqrt(values.pow(Scalars.Two).mean().to(ScalarType.Float64).item<double>());
}
