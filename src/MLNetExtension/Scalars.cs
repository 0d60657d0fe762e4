using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension;

/// <summary>The numbers that are passed to operations of tensors, kept until the operation has read them.</summary>
/// <remarks>TorchSharp makes a native object of a number and hands its address to the kernel. Nothing refers to the object from then on, so that a garbage collection may free it before the
/// kernel has read it: an operation fails with an unknown type of scalar, or could compute with another number. This happens to TorchSharp's conversions from numbers, and in its own
/// additions, which pass a factor of 1; both are banned from this library (BannedSymbols.txt). Seen with TorchSharp 0.107: fifty of a million operations failed, on four threads beside a collector that never rests.</remarks>
internal static class Scalars
{
    // One operation takes three at most, and none of a callback's own operations is computed before the outer one has read its numbers.
    private const int Kept = 64;

    [ThreadStatic]
    private static Scalar?[]? t_last;

    [ThreadStatic]
    private static int t_next;

    public static Scalar Zero { get; } = 0.ToScalar();

    public static Scalar One { get; } = 1.ToScalar();

    public static Scalar Two { get; } = 2.ToScalar();

    /// <summary>A number for the next operation of this thread; not to be stored.</summary>
    public static Scalar Of(double value) => Keep(value.ToScalar());

    /// <inheritdoc cref="Of(double)"/>
    public static Scalar Of(long value) => Keep(value.ToScalar());

    public static Tensor Plus(this Tensor tensor, Tensor other) => tensor.add(other, One);

    public static Tensor Plus(this Tensor tensor, double value) => tensor.add(Of(value), One);

    private static Scalar Keep(Scalar scalar)
    {
        t_last ??= new Scalar?[Kept];
        t_last[t_next]?.Dispose();    // at once, rather than by a finalizer
        t_last[t_next] = scalar;
        t_next = (t_next + 1) % Kept;
        return scalar;
    }
}
