using System.Diagnostics;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace MLNetExtension.Tests;

/// <summary>The memory of the process, for tests that run alone. Linux only.</summary>
internal static class PeakMemory
{
    /// <summary>Measures how far the process's peak rises above where it stands: the kernel keeps the peak, and writing 5 to clear_refs sets it back.</summary>
    public static long Growth(Action action)
    {
        File.WriteAllText("/proc/self/clear_refs", "5");
        long before = Read(process => process.PeakWorkingSet64);
        using (NewDisposeScope())
            action();
        return Read(process => process.PeakWorkingSet64) - before;
    }

    /// <summary>Measures what the process holds, once finalizers have run and the C library has given back what is free.</summary>
    public static long Held()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        _ = TrimHeap(0);
        return Read(process => process.WorkingSet64);
    }

    [DllImport("libc", EntryPoint = "malloc_trim")]
    private static extern int TrimHeap(nint padding);

    private static long Read(Func<Process, long> figure)
    {
        using Process process = Process.GetCurrentProcess();
        return figure(process);
    }
}
