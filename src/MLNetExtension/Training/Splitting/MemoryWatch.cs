namespace MLNetExtension.Training.Splitting;

/// <summary>Measures the most memory that the process holds while something runs, by sampling: the peak that the system tells is that of the process's whole life.</summary>
internal sealed class MemoryWatch : IDisposable
{
    private const int IntervalMilliseconds = 5;

    private readonly Timer _timer;
    private long _peak;

    /// <summary>Starts to measure.</summary>
    public MemoryWatch()
    {
        Sample();
        _timer = new Timer(_ => Sample(), null, IntervalMilliseconds, IntervalMilliseconds);
    }

    /// <summary>The most memory so far, in MiB.</summary>
    public double PeakMiB
    {
        get
        {
            Sample();
            return Volatile.Read(ref _peak) / (1024.0 * 1024);
        }
    }

    /// <summary>Stops measuring.</summary>
    public void Dispose() => _timer.Dispose();

    private void Sample()
    {
        long now = Environment.WorkingSet, peak;
        while (now > (peak = Volatile.Read(ref _peak)) && Interlocked.CompareExchange(ref _peak, now, peak) != peak)
        {
        }
    }
}
