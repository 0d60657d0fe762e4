using System.Diagnostics;

namespace Samples.Reporting;

/// <summary>The most memory that the process has held, managed and native together.</summary>
internal static class PeakMemory
{
    public static double MiB()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1048576.0;
    }
}
