using System.Diagnostics;
using MLNetExtension.Training.Splitting;
using TorchSharp;

namespace MLNetExtension.Benchmarks.Measuring;

/// <summary>The most memory that a measured process has held.</summary>
internal static class ProcessMemory
{
    /// <summary>Reads it for a device, in MiB: of a GPU what the driver has given out, to all processes, since libtorch never gives its caches back.</summary>
    /// <param name="device">Where the process computes.</param>
    public static double PeakMiB(torch.Device device) => device.type == DeviceType.CPU ? PeakMiB()
        : CudaMemory.TryRead(Math.Max(0, device.index), out long used, out _) ? used / 1048576.0 : double.NaN;

    /// <summary>Reads it, managed and native together, in MiB; on Linux, VmHWM.</summary>
    public static double PeakMiB()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1048576.0;
    }
}
