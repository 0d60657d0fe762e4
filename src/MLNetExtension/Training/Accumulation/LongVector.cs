using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>Reductions of vectors as long as a model. They go in pieces that are added in float64: one float32 sum of the squares of 10^8 elements is off by percents (pytorch #68326, #169237).</summary>
internal static class LongVector
{
    // What stays in the caches of a CPU, and keeps a GPU busy.
    private const long PieceOnCpu = 1 << 18, PieceOnGpu = 1 << 24;

    /// <summary>Sums the squares of a vector's elements, or of its differences from another.</summary>
    /// <param name="vector">Any length, any floating-point type.</param>
    /// <param name="subtracted">As long, of any floating-point type; null for nothing.</param>
    /// <returns>A scalar, float64, on the vector's device.</returns>
    public static Tensor SumSquares(Tensor vector, Tensor? subtracted = null)
    {
        Tensor sum = zeros([], dtype: float64, device: vector.device);
        long length = vector.numel(), size = vector.device_type == DeviceType.CPU ? PieceOnCpu : PieceOnGpu;
        for (long start = 0; start < length; start += size)
        {
            using var piece = NewDisposeScope();
            Tensor wide = Piece(vector);
            if (subtracted is not null)
                wide = wide - Piece(subtracted);
            sum.add_(wide.dot(wide), Scalars.One);

            Tensor Piece(Tensor whole) => whole.narrow(0, start, Math.Min(size, length - start)).to(float64);
        }
        return sum;
    }
}
