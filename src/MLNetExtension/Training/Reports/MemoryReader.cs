using System.Diagnostics;
using MLNetExtension.Training.Splitting;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Reports;

/// <summary>Reads the memory in use, but not so often that it could be noticed.</summary>
/// <param name="device">Where the model is.</param>
internal sealed class MemoryReader(Device device)
{
    private const double MiB = 1 << 20;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(0.25);

    private MemoryUse? _last;
    private long _readAt;

    /// <summary>Gives what is in use now, or was a moment ago.</summary>
    public MemoryUse Read()
    {
        if (_last is { } last && Stopwatch.GetElapsedTime(_readAt) < Interval)
            return last;
        using Process process = Process.GetCurrentProcess();
        double resident = process.WorkingSet64 / MiB;
        double? onDevice = device.type == DeviceType.CUDA && CudaMemory.TryRead(Math.Max(0, device.index), out long used, out _) ? used / MiB : null;
        MemoryUse now = new(resident, Math.Max(resident, process.PeakWorkingSet64 / MiB), onDevice);
        (_last, _readAt) = (now, Stopwatch.GetTimestamp());
        return now;
    }
}
