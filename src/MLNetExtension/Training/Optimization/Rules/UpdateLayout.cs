using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization.Rules;

/// <summary>What a rule updates.</summary>
/// <param name="Length">S, how many numbers.</param>
/// <param name="Dtype">Their type.</param>
/// <param name="Device">Where they are.</param>
/// <param name="Pieces">The pieces in which they are updated, in their order, without gaps.</param>
internal sealed record UpdateLayout(long Length, ScalarType Dtype, Device Device, IReadOnlyList<UpdatePiece> Pieces)
{
    /// <summary>Creates a part of the state that is kept beyond the dispose scope.</summary>
    /// <param name="length">Its length; default, one number for each number that is updated.</param>
    public Tensor CreateState(long? length = null) => zeros(length ?? Length, dtype: Dtype, device: Device).DetachFromDisposeScope();
}

/// <summary>Weights that lie together and are updated alike.</summary>
/// <param name="Index">Its place among the pieces.</param>
/// <param name="Start">Its first number, counted from the first that the rule updates.</param>
/// <param name="Length">How many numbers it has.</param>
/// <param name="LearningRateFactor">What the learning rate is multiplied by.</param>
/// <param name="WeightDecay">Decoupled weight decay.</param>
/// <param name="Parameter">The parameter that it is, where pieces are whole parameters; else null.</param>
internal sealed record UpdatePiece(int Index, long Start, long Length, double LearningRateFactor, double WeightDecay, WholeParameter? Parameter);

/// <summary>A parameter that is updated whole.</summary>
/// <param name="Shape">Its shape.</param>
/// <param name="MatrixRows">The rows of each matrix in it, where a rule for weight matrices applies, with the same columns; else null.</param>
internal sealed record WholeParameter(long[] Shape, IReadOnlyList<long>? MatrixRows);

/// <summary>A step of a piece.</summary>
/// <param name="Piece">The piece.</param>
/// <param name="Values">Its weights, [n].</param>
/// <param name="Gradient">Their gradient, [n].</param>
/// <param name="LearningRate">Its learning rate.</param>
/// <param name="Steps">Steps taken, this one included.</param>
internal readonly record struct Update(UpdatePiece Piece, Tensor Values, Tensor Gradient, double LearningRate, int Steps)
{
    /// <summary>What decay multiplies the weights by.</summary>
    public double Decay => 1 - LearningRate * Piece.WeightDecay;

    /// <summary>Lets the weights decay.</summary>
    public void ApplyDecay()
    {
        if (Piece.WeightDecay != 0)
            Values.mul_(Scalars.Of(Decay));
    }

    /// <summary>The part of a state that belongs to the piece, [n].</summary>
    /// <param name="state">[S].</param>
    public Tensor Own(Tensor state) => state.narrow(0, Piece.Start, Piece.Length);
}
