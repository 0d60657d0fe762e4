using System.Diagnostics;
using static TorchSharp.torch;
namespace MLNetExtension;
#pragma warning disable
internal static class GpuTimes
{
    static readonly string? File = Environment.GetEnvironmentVariable("GPU_TIMES");
    static readonly Dictionary<string, (double, int)> Sums = [];
    static long _last;
    public static int Skip;
    public static void Mark(string what)
    {
        if (File is null) return;
        cuda.synchronize();
        long now = Stopwatch.GetTimestamp();
        if (what != "") { Sums.TryGetValue(what, out var s); Sums[what] = (s.Item1 + Stopwatch.GetElapsedTime(_last, now).TotalMilliseconds, s.Item2 + 1); }
        _last = Stopwatch.GetTimestamp();
    }
    public static void Clear() => Sums.Clear();
    public static void Write()
    {
        if (File is null) return;
        System.IO.File.WriteAllLines(File, Sums.Select(p => $"{p.Value.Item1,10:F1} ms {p.Value.Item2,6} {p.Key}"));
    }
}
