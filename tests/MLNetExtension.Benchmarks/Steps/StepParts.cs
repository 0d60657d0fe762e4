using System.Diagnostics;
using MLNetExtension.Accumulation;
using MLNetExtension.Batching;
using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Optimization;
using MLNetExtension.Tokenization;
using MLNetExtension.Training;
using static TorchSharp.torch;

namespace MLNetExtension.Benchmarks.Steps;

/// <summary>Where the time of a step goes, in seconds per step.</summary>
/// <param name="WholeStep">A step of <see cref="TrainingStep"/> itself, beside which the parts were timed.</param>
/// <param name="Parts">The same calls one by one, by name.</param>
/// <param name="Tokenizing">Encoding as many bytes of text as a window has tokens, which happens before training begins.</param>
internal sealed record StepPartsResult(double WholeStep, IReadOnlyDictionary<string, double> Parts, double Tokenizing);

/// <summary>Takes the calls of a training step one by one. On a CPU every call ends when its work has, so a stopwatch around it is exact.</summary>
internal sealed class StepParts : IDisposable
{
    public const string Model = "model", Batching = "batching", Bookkeeping = "bookkeeping", Division = "division and norm", Clipping = "clipping", Optimizer = "optimizer", Zeroing = "zeroing";

    private readonly TrainingOptions _options = WorkloadFolder.Options;
    private readonly ParameterArena _arena;
    private readonly GradientAccumulator _accumulator;
    private readonly MicroBatchGradient _microBatchGradient;
    private readonly AdamW _optimizer;
    private readonly Dictionary<string, double> _seconds = [];

    private StepParts(Gpt2 model)
    {
        _arena = new ParameterArena(model.named_parameters());
        _accumulator = new GradientAccumulator(_arena, _options.LossNormalization);
        _microBatchGradient = new MicroBatchGradient(model, _arena, new LinearCrossEntropy(), recompute: false);
        _optimizer = new AdamW(_arena, _options.Beta1, _options.Beta2, _options.Epsilon, _options.WeightDecay);
    }

    /// <summary>Measures in this process.</summary>
    /// <param name="workload">The workload.</param>
    public static StepPartsResult Measure(Workload workload)
    {
        TokenExample[][] windows = [.. workload.DrawWindows().Select(Workload.Examples)];
        using Gpt2 whole = new(workload.Configuration, seed: 1), parted = new(workload.Configuration, seed: 1);
        whole.train();
        parted.train();
        using TrainingStep step = new(whole, WorkloadFolder.Options, calibrate: true);
        using StepParts parts = new(parted);

        double wholeSeconds = 0;
        for (int k = 0; k < windows.Length; k++)
        {
            if (k == workload.WarmupSteps)
            {
                wholeSeconds = 0;
                parts._seconds.Clear();
            }
            long start = Stopwatch.GetTimestamp();
            step.Run(windows[k], parts._options.LearningRate, dropoutSeed: k);
            wholeSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            parts.Step(windows[k], step.TokensPerMicroBatch);
        }
        return new StepPartsResult(
            wholeSeconds / workload.TimedSteps,
            parts._seconds.ToDictionary(part => part.Key, part => part.Value / workload.TimedSteps),
            Tokenizing(windows[0]));
    }

    private void Step(TokenExample[] window, int tokensPerMicroBatch)
    {
        using var scope = NewDisposeScope();
        long start = Stopwatch.GetTimestamp();
        double before = _seconds.Values.Sum();
        IReadOnlyList<IReadOnlyList<TokenExample>> cut = Time(Batching, () => MicroBatchPlanner.Cut(window, tokensPerMicroBatch));
        foreach (IReadOnlyList<TokenExample> rows in cut)
        {
            using var inner = NewDisposeScope();
            using MicroBatch microBatch = Time(Batching, () => MicroBatch.Collate(rows, CPU));
            _accumulator.Add(Time(Model, () => _microBatchGradient.Backward(microBatch, _accumulator.Scale(microBatch.TargetWeight), dropoutSeed: 0)));
        }
        WindowLoss loss = Time(Division, _accumulator.Finish);
        Time(Clipping, () => GradientClipping.Clip(_arena.Gradients, loss.GradientNorm, _options.MaximumGradientNorm));
        Time(Optimizer, () => _optimizer.Step(_options.LearningRate));
        Time(Zeroing, _accumulator.Reset);
        // Whatever is left: adding up losses, opening and closing scopes.
        _seconds[Bookkeeping] = _seconds.GetValueOrDefault(Bookkeeping) + Stopwatch.GetElapsedTime(start).TotalSeconds - (_seconds.Values.Sum() - before);
    }

    private static double Tokenizing(TokenExample[] window)
    {
        TokenExampleEncoder encoder = new(new ByteLevelTokenizer(), ByteLevelTokenizer.EndOfTextId, window.Max(e => e.Length));
        TextRow[] rows = [.. window.Select(e => new TextRow("", new string('a', e.Length)))];
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
        _accumulator.Dispose();
        _arena.Dispose();
    }
}
