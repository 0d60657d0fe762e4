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
    private const int TimedSteps = 8;

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
        model.train();
        for (int k = 0; !isDone(k); k++)
        {
            TokenExample[] batch = batches[k % batches.Length];
            long start = Stopwatch.GetTimestamp();
            step.Run(batch, WorkloadFolder.Options.LearningRate, dropoutSeed: k);
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds / batch.Sum(e => e.Length));
        }
        return times;
    }
}
