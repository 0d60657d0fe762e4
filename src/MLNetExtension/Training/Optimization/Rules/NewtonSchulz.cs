using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization.Rules;

/// <summary>Makes a matrix nearly orthogonal by five Newton-Schulz iterations, whose coefficients K. Jordan chose for steep convergence: singular values end between 0.7 and 1.2, not at 1.</summary>
/// <remarks>Source: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.</remarks>
internal static class NewtonSchulz
{
    private const int Iterations = 5;
    private const double A = 3.4445, B = -4.7750, C = 2.0315;

    // A matrix of zeros stays one.
    private const double SmallestNorm = 1e-7;

    /// <summary>Computes the nearly orthogonal matrix with the singular vectors of a matrix.</summary>
    /// <param name="matrix">[rows, columns]; stays as it is.</param>
    /// <returns>[rows, columns].</returns>
    public static Tensor Orthogonalize(Tensor matrix)
    {
        // The smaller of the two products: X X' of the side that is shorter.
        bool isTall = matrix.shape[0] > matrix.shape[1];
        Tensor x = isTall ? matrix.t() : matrix;
        x = x / x.pow(Scalars.Two).sum().sqrt_().Plus(SmallestNorm);                  // a norm of at most 1 bounds all singular values; torch's own is inexact for long float32 tensors
        for (int i = 0; i < Iterations; i++)
        {
            Tensor product = x.mm(x.t());                                   // [s,s], s the shorter side
            Tensor polynomial = product.mm(product).mul_(Scalars.Of(C)).add_(product, Scalars.Of(B));
            x = polynomial.mm(x).add_(x, Scalars.Of(A));                                // addmm would take the coefficients in float32
        }
        return isTall ? x.t() : x;
    }
}
