using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Benchmarks.Measuring;

/// <summary>The most that a device's matrix multiplication yields: square matrices, with the library that training uses.</summary>
internal static class MatrixPeak
{
    private static readonly TimeSpan _perSize = TimeSpan.FromSeconds(1);

    /// <summary>Measures it.</summary>
    /// <param name="device">The device.</param>
    /// <param name="half">Whether in bfloat16; else in float32.</param>
    /// <returns>Floating-point operations per second, the best of several sizes.</returns>
    public static double Measure(Device device, bool half) => (device.type == DeviceType.CPU ? new long[] { 512, 1024, 2048 } : [4096, 8192]).Max(size => OfSize(size, device, half));

    private static double OfSize(long size, Device device, bool half)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        ScalarType type = half ? bfloat16 : float32;
        Tensor a = rand(size, size, device: device).to(type), b = rand(size, size, device: device).to(type);
        double best = double.PositiveInfinity;
        for (long begin = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begin) < _perSize;)
        {
            long start = Stopwatch.GetTimestamp();
            using Tensor product = a.matmul(b);
            if (device.type != DeviceType.CPU)
                cuda.synchronize(device);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return 2.0 * size * size * size / best;
    }
}
