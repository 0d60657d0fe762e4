using System.Diagnostics;

namespace Samples.Reporting;

/// <summary>The peak memory of the process, managed and native.</summary>
internal static class PeakMemory
{
    public static double MiB()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1048576.0;
    }
}
