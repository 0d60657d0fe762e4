using System.Diagnostics;
using MLNetExtension.Benchmarks.Measuring;
using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Training;

namespace MLNetExtension.Benchmarks.Steps;

/// <summary>A step of so many micro-batches of equal shape.</summary>
/// <param name="MicroBatches">G.</param>
/// <param name="Seconds">Duration of a step, the fastest of several.</param>
/// <param name="PeakMemoryMiB">Peak memory of the process when steps of this G had run for the first time, after those of every smaller G.</param>
internal sealed record StepScaleResult(int MicroBatches, double Seconds, double PeakMemoryMiB);

/// <summary>How step time and memory grow with G, the number of micro-batches.</summary>
internal static class StepScale
{
    private const int RowsPerMicroBatch = 1, Rounds = 3;
    private static readonly int[] _counts = [1, 4, 16, 64];

    /// <summary>Measures in this process.</summary>
    /// <param name="workload">The workload.</param>
    public static StepScaleResult[] Measure(Workload workload)
    {
        int length = workload.Network.ContextLength / 2;
        TrainingOptions options = WorkloadFolder.Options with { Batching = new() { MaximumTokensPerMicroBatch = RowsPerMicroBatch * length } };
        using CausalLanguageModel model = workload.Network.Create();
        model.train();
        using TrainingStep step = new(model, options, tune: false);
        TokenExample[] rows = workload.DrawRows(RowsPerMicroBatch * _counts[^1], length);

        double[] seconds = [.. _counts.Select(_ => double.PositiveInfinity)];
        double[] peaks = new double[_counts.Length];
        step.Run(rows[..RowsPerMicroBatch], options.LearningRate, dropoutSeed: 0);
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < _counts.Length; i++)
            {
                TokenExample[] batch = rows[..(RowsPerMicroBatch * _counts[i])];
                // A short step is timed before caches and clock are steady: repeat it for about as long as the largest batch takes.
                for (int repetition = 0; repetition < _counts[^1] / _counts[i]; repetition += 4)
                {
                    long start = Stopwatch.GetTimestamp();
                    step.Run(batch, options.LearningRate, dropoutSeed: 0);
                    seconds[i] = Math.Min(seconds[i], Stopwatch.GetElapsedTime(start).TotalSeconds);
                }
                if (round == 0)
                    peaks[i] = ProcessMemory.PeakMiB();
            }
        }
        return [.. _counts.Select((count, i) => new StepScaleResult(count, seconds[i], peaks[i]))];
    }
}
