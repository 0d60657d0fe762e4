using System.Collections.Concurrent;
using System.Diagnostics;
using MLNetExtension.Models.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Reports;

/// <summary>The most that matrix multiplication yields here: square matrices, by what training computes them with.</summary>
internal static class MatrixPeak
{
    private static readonly TimeSpan PerSize = TimeSpan.FromSeconds(0.1);
    private static readonly ConcurrentDictionary<(string Device, int? Threads, ScalarType Type), double> Measured = new();

    /// <summary>Gives the peak as it was first measured in this process: what a machine can do stays as it is, and a later training need not wait for it.</summary>
    /// <param name="device">Where.</param>
    /// <param name="threads">With how many threads of the CPU; null on another device.</param>
    /// <param name="type">In which type.</param>
    /// <returns>Floating-point operations per second.</returns>
    public static double MeasureOnce(Device device, int? threads, ScalarType type) => Measured.GetOrAdd((device.ToString(), threads, type), _ => Measure(device, threads, type));

    /// <summary>Measures it, in about a third of a second. Draws no random numbers.</summary>
    /// <param name="device">Where.</param>
    /// <param name="threads">With how many threads of the CPU; null on another device.</param>
    /// <param name="type">In which type. Default: float32.</param>
    /// <param name="perSize">How long each size is tried, once at least. Default: 0.1 seconds.</param>
    /// <returns>Floating-point operations per second, the best of several sizes.</returns>
    public static double Measure(Device device, int? threads = null, ScalarType type = ScalarType.Float32, TimeSpan? perSize = null)
    {
        using var _ = no_grad();
        using KernelThreads? kernels = KernelThreads.Limit(threads, workers: 1);
        long[] sizes = device.type == DeviceType.CPU ? [512, 1024, 2048] : [2048, 4096, 8192];
        TimeSpan time = perSize ?? PerSize;
        double best = 0;
        foreach (long size in sizes)
        {
            double rate = OfSize(size, device, type, time);
            best = Math.Max(best, rate);
            // The next size is eight times the work: a slow machine does without it.
            if (16.0 * size * size * size / rate > time.TotalSeconds)
                break;
        }
        return best;
    }

    private static double OfSize(long size, Device device, ScalarType type, TimeSpan time)
    {
        using var scope = NewDisposeScope();
        Tensor a = arange(Scalars.Of(size * size), float32, device).sin_().to(type).view(size, size), product = a.matmul(a.t());
        Wait(device);
        double best = double.PositiveInfinity;
        long begin = Stopwatch.GetTimestamp();
        do
        {
            long start = Stopwatch.GetTimestamp();
            MatrixProduct.Write(product, a, a, bias: null);
            Wait(device);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        while (Stopwatch.GetElapsedTime(begin) < time);
        return 2.0 * size * size * size / best;
    }

    private static void Wait(Device device)
    {
        if (device.type == DeviceType.CUDA)
            cuda.synchronize(device);
    }
}
