using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Splitting;

/// <summary>
/// Measures the memory that a training takes: of the process where it computes on the CPU, of the device on a GPU. What counts is what is in use at present, not the peak of the process's whole life,
/// which is all that the system would tell.
/// </summary>
internal sealed class MemoryWatch : IDisposable
{
    private const int IntervalMilliseconds = 5;
    private const double MiB = 1 << 20;

    private readonly Device _device;
    private readonly double _before, _limit;
    private readonly Timer _timer;
    private readonly Lock _lock = new();
    private double _peak;

    /// <summary>Remembers what is in use before a training.</summary>
    /// <param name="device">Where it computes.</param>
    /// <param name="limitMiB">The most there may be in use, in MiB; null for what there is.</param>
    public MemoryWatch(Device device, int? limitMiB)
    {
        _device = device;
        (_before, double all) = Read();
        _limit = Math.Min(limitMiB ?? double.PositiveInfinity, all);
        _timer = new Timer(_ => Sample());
    }

    /// <summary>Starts to measure.</summary>
    public void Start()
    {
        _peak = double.NegativeInfinity;
        // A GPU's allocator keeps what it once got, so that one look at the end is enough.
        if (_device.type == DeviceType.CPU)
            _timer.Change(0, IntervalMilliseconds);
    }

    /// <summary>Ends the measurement.</summary>
    /// <returns>The most memory that was in use, and the most that may be, in MiB and beyond what was in use before the training; NaN and infinity where that is not known.</returns>
    public (double FootprintMiB, double LimitMiB) Stop()
    {
        _timer.Change(Timeout.Infinite, Timeout.Infinite);
        Sample();
        return (_peak - _before, double.IsNaN(_before) ? double.PositiveInfinity : _limit - _before);
    }

    /// <summary>Lets go of the timer.</summary>
    public void Dispose() => _timer.Dispose();

    private void Sample()
    {
        lock (_lock)
            _peak = Math.Max(_peak, Read().Used);
    }

    private (double Used, double All) Read() => _device.type switch
    {
        DeviceType.CPU => (Environment.WorkingSet / MiB, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / MiB),
        DeviceType.CUDA when CudaMemory.TryRead(Math.Max(0, _device.index), out long used, out long all) => (used / MiB, all / MiB),
        _ => (double.NaN, double.PositiveInfinity),
    };
}
