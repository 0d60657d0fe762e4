using System.Diagnostics;
using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Benchmarks.Steps;

/// <summary>Where the time of a step goes, in seconds per step.</summary>
/// <param name="WholeStep">A step of <see cref="TrainingStep"/> itself, beside which the parts were timed.</param>
/// <param name="Parts">The same calls one by one, by name.</param>
/// <param name="Tokenizing">Encoding as many bytes of text as a batch has tokens, which happens before training begins.</param>
internal sealed record StepPartsResult(double WholeStep, IReadOnlyDictionary<string, double> Parts, double Tokenizing);

/// <summary>Times the calls of a training step one by one. On a CPU every call ends when its work has, so a stopwatch around it is exact.</summary>
internal sealed class StepParts : IDisposable
{
    public const string Model = "model", Batching = "batching", Bookkeeping = "bookkeeping", Division = "division and norm", Clipping = "clipping", Optimizer = "optimizer", Zeroing = "zeroing";

    private readonly TrainingOptions _options = OneWorker();
    private readonly WorkerGradient _gradient;
    private readonly GradientAccumulator _spare;    // its sums are not used
    private readonly FlatOptimizer _optimizer;
    private readonly Dictionary<string, double> _seconds = [];

    private StepParts(CausalLanguageModel model)
    {
        _gradient = new WorkerGradient(model, new GradientSettings { Normalization = _options.Loss.Normalization, Pack = true });
        _spare = new GradientAccumulator(_gradient.Parameters, _options.Loss.Normalization);
        _optimizer = new FlatOptimizer(_gradient.Parameters, _options.Optimizer);
    }

    /// <summary>Measures in this process.</summary>
    /// <param name="workload">The workload.</param>
    public static StepPartsResult Measure(Workload workload)
    {
        TokenExample[][] batches = [.. workload.DrawBatches().Select(workload.Examples)];
        using CausalLanguageModel whole = workload.Network.Create(), parted = workload.Network.Create();
        whole.train();
        parted.train();
        using TrainingStep step = new(whole, OneWorker(), tune: false);
        using StepParts parts = new(parted);

        double wholeSeconds = 0;
        for (int k = 0; k < batches.Length; k++)
        {
            if (k == workload.WarmupSteps)
            {
                wholeSeconds = 0;
                parts._seconds.Clear();
            }
            long start = Stopwatch.GetTimestamp();
            step.Run(batches[k], parts._options.LearningRate, dropoutSeed: k);
            wholeSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            parts.Step(batches[k], step.Plan.Tokens);
        }
        return new StepPartsResult(
            wholeSeconds / workload.TimedSteps,
            parts._seconds.ToDictionary(part => part.Key, part => part.Value / workload.TimedSteps),
            Tokenizing(batches[0]));
    }

    private void Step(TokenExample[] batch, int tokensPerMicroBatch)
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<IReadOnlyList<TokenExample>> split = Time(Batching, () => MicroBatchPlanner.SplitPacked(batch, tokensPerMicroBatch));
        LossSum nothing = new(zeros([], dtype: float64), 1, zeros([], dtype: float64));
        foreach (IReadOnlyList<TokenExample> rows in split)
        {
            Time(Model, () => _gradient.Add(rows, dropoutSeed: 0));
            // Two things that Add does beside the model, once more by themselves.
            double before = _seconds.GetValueOrDefault(Batching) + _seconds.GetValueOrDefault(Bookkeeping);
            Time(Batching, () => MicroBatch.Pack(rows, CPU).Dispose());
            Time(Bookkeeping, () => _spare.Add(nothing));
            _seconds[Model] -= _seconds[Batching] + _seconds[Bookkeeping] - before;
        }
        BatchLoss loss = Time(Division, () => _gradient.DivideGradient(SingleRank.Instance));
        Time(Clipping, () => GradientClipping.Clip(_gradient.Parameters.Gradients, loss.GradientNorm, _options.Optimizer.MaximumGradientNorm));
        Time(Optimizer, () => _optimizer.Step(_options.LearningRate));
        Time(Zeroing, _gradient.Reset);
    }

    // Side by side, parts of a step overlap; one after another, they add up to it.
    private static TrainingOptions OneWorker() => WorkloadFolder.Options with { Batching = new() { Workers = 1 } };

    private static double Tokenizing(TokenExample[] batch)
    {
        TokenExampleEncoder encoder = new(new ByteLevelTokenizer(), batch.Max(e => e.Length));
        TextRow[] rows = [.. batch.Select(e => new TextRow("", new string('a', e.Length)))];
        const int Repetitions = 100;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < Repetitions; i++)
        {
            foreach (TextRow row in rows)
                encoder.Encode(row, position: 0);
        }
        return Stopwatch.GetElapsedTime(start).TotalSeconds / Repetitions;
    }

    private T Time<T>(string part, Func<T> action)
    {
        long start = Stopwatch.GetTimestamp();
        T result = action();
        _seconds[part] = _seconds.GetValueOrDefault(part) + Stopwatch.GetElapsedTime(start).TotalSeconds;
        return result;
    }

    private void Time(string part, Action action) => Time(part, () =>
    {
        action();
        return true;
    });

    public void Dispose()
    {
        _optimizer.Dispose();
        _spare.Dispose();
        _gradient.Dispose();
    }
}
