using MLNetExtension.Benchmarks.Measuring;
using MLNetExtension.Benchmarks.Workloads;
using Spectre.Console;

namespace MLNetExtension.Benchmarks.Steps;

/// <summary>What a step of ours costs beside the model, and how it grows with the batch.</summary>
/// <param name="Workload">The workload.</param>
/// <param name="Parts">Where the time of a step goes.</param>
/// <param name="OutsideModelShare">Share of a step that neither the model nor batching takes.</param>
/// <param name="WaitingShare">Share of a step in which the model waits for a batch.</param>
/// <param name="Scale">Step time and memory by the number of micro-batches.</param>
/// <param name="LargestDeviation">How far, relatively, step time is from the straight line through it, at most.</param>
internal sealed record StepsReport(
    string Workload, StepPartsResult Parts, double OutsideModelShare, double WaitingShare, IReadOnlyList<StepScaleResult> Scale, double LargestDeviation)
{
    /// <summary>Measures, in two processes.</summary>
    public static async Task<StepsReport> Measure(Workload workload, ChildProcess children, Action<string> log, CancellationToken cancellation)
    {
        log($"{workload.Name}: the parts of a step, with one worker");
        var parts = await children.RunSelf<StepPartsResult>($"The parts of a step on {workload.Name}", [HiddenCommands.StepParts, workload.Name], cancellation);
        log($"{workload.Name}: steps of 1, 4, 16 and 64 micro-batches");
        var scale = await children.RunSelf<StepScaleResult[]>($"The scale of a step on {workload.Name}", [HiddenCommands.StepScale, workload.Name], cancellation);
        double whole = parts.Parts.Values.Sum(), model = parts.Parts[StepParts.Model], batching = parts.Parts[StepParts.Batching];
        return new StepsReport(workload.Name, parts, (whole - model - batching) / whole, batching / whole, scale, DeviationFromLine(scale));
    }

    /// <summary>Writes it as tables.</summary>
    /// <param name="console">Where to.</param>
    public void Write(IAnsiConsole console)
    {
        double whole = Parts.Parts.Values.Sum();
        Table parts = new Table().AddColumn("part of a step").AddColumn(new TableColumn("ms").RightAligned()).AddColumn(new TableColumn("share").RightAligned());
        foreach ((string part, double seconds) in Parts.Parts.OrderByDescending(pair => pair.Value))
            parts.AddRow(part, (seconds * 1000).ToString("F2"), (seconds / whole).ToString("P2"));
        console.Write(parts);
        console.WriteLine($"{Workload}: a whole step takes {Parts.WholeStep * 1000:F1} ms, its parts {whole * 1000:F1} ms; outside the model {OutsideModelShare:P2}, waiting for batches {WaitingShare:P2}.");
        console.WriteLine($"{Workload}: encoding a batch's rows as bytes takes {Parts.Tokenizing * 1000:F2} ms ({Parts.Tokenizing / whole:P2} of a step), before training begins.");

        Table scale = new Table().AddColumn("micro-batches").AddColumn(new TableColumn("ms").RightAligned()).AddColumn(new TableColumn("ms per micro-batch").RightAligned()).AddColumn(new TableColumn("peak memory MiB").RightAligned());
        foreach (StepScaleResult each in Scale)
            scale.AddRow($"{each.MicroBatches}", (each.Seconds * 1000).ToString("F1"), (each.Seconds * 1000 / each.MicroBatches).ToString("F1"), each.PeakMemoryMiB.ToString("N0"));
        console.Write(scale);
        console.WriteLine($"{Workload}: step time is within {LargestDeviation:P1} of a straight line; from 1 to 64 micro-batches memory grows by {Scale[^1].PeakMemoryMiB - Scale[0].PeakMemoryMiB:F0} MiB.");
    }

    // The line a + b G with the least sum of squared relative errors: a is the optimizer's share, b a micro-batch's.
    private static double DeviationFromLine(IReadOnlyList<StepScaleResult> scale)
    {
        double s00 = 0, s01 = 0, s11 = 0, t0 = 0, t1 = 0;
        foreach (StepScaleResult each in scale)
        {
            double x0 = 1 / each.Seconds, x1 = each.MicroBatches / each.Seconds;
            (s00, s01, s11, t0, t1) = (s00 + x0 * x0, s01 + x0 * x1, s11 + x1 * x1, t0 + x0, t1 + x1);
        }
        double determinant = s00 * s11 - s01 * s01, a = (t0 * s11 - t1 * s01) / determinant, b = (t1 * s00 - t0 * s01) / determinant;
        return scale.Max(each => Math.Abs((a + b * each.MicroBatches) / each.Seconds - 1));
    }
}
