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

    /// <summary>Measures what is allocated outside of the managed heap, once finalizers have run. What the C library keeps for the next allocation does not count: how much that is depends on the machine.</summary>
    public static long Held()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        AllocatedMemory memory = GetAllocatedMemory();
        return (long)(memory.InBlocks + memory.Mapped);
    }

    /// <summary>Gives what the C library and the collector keep for the next allocation back to the system, so that it counts as growth when it is taken again, and is not given back meanwhile.</summary>
    public static void Trim()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        _ = TrimHeap(0);
    }

    [DllImport("libc", EntryPoint = "malloc_trim")]
    private static extern int TrimHeap(nuint kept);

    [DllImport("libc", EntryPoint = "mallinfo2")]
    private static extern AllocatedMemory GetAllocatedMemory();

    private static long Read(Func<Process, long> figure)
    {
        using Process process = Process.GetCurrentProcess();
        return figure(process);
    }

    // The C library's struct mallinfo2: ten counts, of which uordblks and hblkhd are read.
    [StructLayout(LayoutKind.Explicit, Size = 10 * sizeof(ulong))]
    private readonly struct AllocatedMemory
    {
        [FieldOffset(4 * sizeof(ulong))]
        public readonly ulong Mapped;

        [FieldOffset(7 * sizeof(ulong))]
        public readonly ulong InBlocks;
    }
}
