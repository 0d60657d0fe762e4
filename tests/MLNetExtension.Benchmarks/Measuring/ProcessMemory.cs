using System.Diagnostics;

namespace MLNetExtension.Benchmarks.Measuring;

/// <summary>The most memory that this process has held, managed and native together.</summary>
internal static class ProcessMemory
{
    /// <summary>In MiB; on Linux, VmHWM.</summary>
    public static double PeakMiB()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1048576.0;
    }
}
