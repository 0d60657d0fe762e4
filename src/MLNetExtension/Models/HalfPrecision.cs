using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>Where half precision must not be computed in: sums, norms, the softmax.</summary>
internal static class HalfPrecision
{
    /// <summary>Whether a type has 16 bits.</summary>
    public static bool IsHalf(this ScalarType dtype) => dtype is ScalarType.BFloat16 or ScalarType.Float16;

    /// <summary>float32 in place of half precision; another type as it is.</summary>
    public static ScalarType Widen(this ScalarType dtype) => dtype.IsHalf() ? ScalarType.Float32 : dtype;

    /// <summary>Converts half precision to float32; returns a tensor of another type as it is.</summary>
    public static Tensor Widen(this Tensor tensor) => tensor.to(tensor.dtype.Widen());
}
