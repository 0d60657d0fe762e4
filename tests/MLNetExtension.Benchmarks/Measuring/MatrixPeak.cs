using System.Diagnostics;
using static TorchSharp.torch;

namespace MLNetExtension.Benchmarks.Measuring;

/// <summary>The most that this machine's matrix multiplication yields: square float32 matrices, with the library that training uses.</summary>
internal static class MatrixPeak
{
    private static readonly TimeSpan _perSize = TimeSpan.FromSeconds(1);

    /// <summary>Measures it.</summary>
    /// <returns>Floating-point operations per second, the best of several sizes.</returns>
    public static double Measure() => new long[] { 512, 1024, 2048 }.Max(OfSize);

    private static double OfSize(long size)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        Tensor a = rand(size, size), b = rand(size, size);
        double best = double.PositiveInfinity;
        for (long begin = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begin) < _perSize;)
        {
            long start = Stopwatch.GetTimestamp();
            using Tensor product = a.matmul(b);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return 2.0 * size * size * size / best;
    }
}
