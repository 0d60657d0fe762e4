using System.Diagnostics;
using MLNetExtension.Benchmarks.Measuring;
using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Training;
using MLNetExtension.Training.Splitting;

namespace MLNetExtension.Benchmarks.Steps;

/// <summary>A way to split, and what it takes.</summary>
/// <param name="Tokens">Most tokens of a micro-batch.</param>
/// <param name="Workers">How many micro-batches are computed side by side.</param>
/// <param name="Steps">Steps taken: until the trials ended, or all that were timed.</param>
/// <param name="SecondsPerPosition">The median of the steps with this split.</param>
/// <param name="PeakMemoryMiB">Peak memory of the process, trials included.</param>
internal sealed record PlanResult(int Tokens, int Workers, int Steps, double SecondsPerPosition, double PeakMemoryMiB);

/// <summary>Trains on a workload, with a split that is given or one that trials find.</summary>
internal static class PlanRun
{
    private static readonly int TimedSteps = int.Parse(Environment.GetEnvironmentVariable("STEPS") ?? "8");

    /// <summary>Runs in this process until the trials end.</summary>
    /// <param name="workload">The workload.</param>
    public static PlanResult Start(Workload workload)
    {
        SplitChoice? choice = null;
        using CausalLanguageModel model = workload.Network.Create();
        using TrainingStep step = new(model, WorkloadFolder.Options, tune: true) { OnSplitChosen = (_, found) => choice = found };
        Run(step, model, workload, isDone: _ => choice is not null);
        MeasuredPlan chosen = choice!.Chosen;
        return new PlanResult(chosen.Plan.Tokens, chosen.Plan.Workers, choice.Steps, chosen.SecondsPerPosition, ProcessMemory.PeakMiB());
    }

    /// <summary>Runs in this process with a fixed split.</summary>
    /// <param name="workload">The workload.</param>
    /// <param name="tokens">Most tokens of a micro-batch.</param>
    /// <param name="workers">How many micro-batches are computed side by side.</param>
    public static PlanResult Measure(Workload workload, int tokens, int workers)
    {
        using CausalLanguageModel model = workload.Network.Create();
        using TrainingStep step = new(model, WorkloadFolder.Options with { Batching = new() { MaximumTokensPerMicroBatch = tokens, Workers = workers } }, tune: false);
        List<double> times = Run(step, model, workload, isDone: steps => steps == TimedSteps + 1);
        return new PlanResult(tokens, workers, TimedSteps, Figure.Of(times.Skip(1)).Median, ProcessMemory.PeakMiB());
    }

    // Gives the seconds per position of each step.
    private static List<double> Run(TrainingStep step, CausalLanguageModel model, Workload workload, Func<int, bool> isDone)
    {
        TokenExample[][] batches = [.. workload.DrawBatches().Select(workload.Examples)];
        List<double> times = [];
        Probe.Start();
        model.train();
        for (int k = 0; !isDone(k); k++)
        {
            TokenExample[] batch = batches[k % batches.Length];
            long start = Stopwatch.GetTimestamp();
            step.Run(batch, WorkloadFolder.Options.LearningRate, dropoutSeed: k);
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds / batch.Sum(e => e.Length));
            Probe.StepEnd();
        }
        Probe.Stop();
        return times;
    }
}

internal static class Probe
{
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential)]
    public struct Info { public nint arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost; }
    [System.Runtime.InteropServices.DllImport("libc")] static extern Info mallinfo2();
    [System.Runtime.InteropServices.DllImport("libc")] static extern int malloc_trim(nint pad);
    static volatile bool stop; static Thread? thread; static long best; static string text = "";
    static readonly string Trim = Environment.GetEnvironmentVariable("TRIM") ?? "";
    public static void StepEnd() { if (Trim == "step") malloc_trim(0); }
    public static void Start()
    {
        Sample("start");
        thread = new Thread(() => { while (!stop) { Sample("peak"); Thread.Sleep(5); } }); thread.Start();
    }
    static long Rss() => long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1]) * 4096;
    static void Sample(string what)
    {
        long rss = Rss();
        if (rss <= best) return;
        Info i = mallinfo2();
        best = rss;
        text = $"{what} rss {rss >> 20} arena {i.arena >> 20} used {i.uordblks >> 20} free {i.fordblks >> 20} mmap {i.hblkhd >> 20} ({i.hblks}) gc {GC.GetTotalMemory(false) >> 20} committed {GC.GetGCMemoryInfo().TotalCommittedBytes >> 20}";
        if (what == "start") Console.Error.WriteLine(text);
    }
    public static void Stop() { stop = true; thread!.Join(); Console.Error.WriteLine(text); best = 0; Sample("end"); Console.Error.WriteLine(text);
      if (Environment.GetEnvironmentVariable("SMAPS") is { } f) File.Copy("/proc/self/smaps", f, true); }
}
