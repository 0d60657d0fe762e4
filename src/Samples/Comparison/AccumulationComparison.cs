using System.Diagnostics;
using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace Samples.Comparison;

/// <summary>
/// Trains the same model from the same weights on the same batches with several normalizations and splits, and compares each with the full batch: one
/// micro-batch that holds the whole batch, divided by its number of target tokens.
/// </summary>
internal static class AccumulationComparison
{
    /// <summary>Trains all runs side by side on the CPU, step by step, so that memory does not grow with the number of steps.</summary>
    /// <param name="configuration">Sizes of the model; without dropout, whose random numbers depend on the split.</param>
    /// <param name="examples">At least as many rows with target tokens as a batch has; rows without are left out. A short last batch is divided by its own number of target tokens.</param>
    /// <param name="settings">What to compare.</param>
    /// <param name="onProgress">Called after every step.</param>
    /// <param name="cancellationToken">Checked before every batch of every run.</param>
    /// <returns>The full batch first, then every other run, in the order of the settings.</returns>
    /// <exception cref="ArgumentException">A setting is out of its range, the model has dropout, or there are too few rows.</exception>
    /// <exception cref="OperationCanceledException">The comparison was cancelled.</exception>
    public static IReadOnlyList<AccumulationRun> Run(
        Gpt2Configuration configuration,
        IReadOnlyList<TokenExample> examples,
        ComparisonSettings settings,
        Action<AccumulationProgress>? onProgress = null,
        CancellationToken cancellationToken = default)
    {
        settings.Validate();
        if (configuration.Dropout != 0)
            throw new ArgumentException(FormattableString.Invariant($"Dropout is {configuration.Dropout}; allowed is 0, because its random numbers depend on the split."), nameof(configuration));
        TokenExample[] rows = [.. examples.Where(example => example.HasTargets)];
        if (rows.Length < settings.BatchSize)
            throw new ArgumentException($"{rows.Length} of {examples.Count} rows have a target token; a batch needs {settings.BatchSize}.", nameof(examples));

        long start = Stopwatch.GetTimestamp();
        List<ComparedTraining> runs = [];
        try
        {
            foreach (ComparedRun run in ListRuns(settings))
                runs.Add(new ComparedTraining(configuration, settings, run));
            ComparedTraining fullBatch = runs[0];
            int step = 0;
            foreach (TokenExample[] batch in Batches(rows, settings).Take(settings.Steps))
            {
                foreach (ComparedTraining run in runs)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    run.Accumulate(batch, fullBatch);
                }
                foreach (ComparedTraining run in runs)
                    run.Step(settings.LearningRate, fullBatch);
                onProgress?.Invoke(new AccumulationProgress(++step, settings.Steps, fullBatch.LastLoss, Stopwatch.GetElapsedTime(start)));
            }
            return [.. runs.Select(run => run.CreateResult())];
        }
        finally
        {
            foreach (ComparedTraining run in runs)
                run.Dispose();
        }
    }

    private static IEnumerable<ComparedRun> ListRuns(ComparisonSettings settings)
    {
        ScalarType reference = settings.Precision == ComparisonPrecision.Float32 ? ScalarType.Float32 : ScalarType.Float64;
        ScalarType compared = settings.Precision == ComparisonPrecision.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        IRankGroup alone = SingleRank.Instance;
        IRankGroup[] groups = settings.Ranks?.Open() is { Size: > 1 } together ? [alone, together] : [alone];
        ComparedRun fullBatch = new(LossNormalization.Token, new BatchSplit(1, settings.BatchSize), alone, reference);
        var others =
            from normalization in settings.Normalizations
            from split in settings.Splits
            from ranks in groups
            select new ComparedRun(normalization, split, ranks, compared);
        return others.Prepend(fullBatch).Distinct();
    }

    private static IEnumerable<TokenExample[]> Batches(TokenExample[] rows, ComparisonSettings settings)
    {
        EpochSampler sampler = new(rows.Length, settings.Seed);
        for (int epoch = 0; ; epoch++)
            foreach (int[] order in sampler.Order(epoch).Chunk(settings.BatchSize))
                yield return Sort(order.Select(row => rows[row]), settings.Order);
    }

    private static TokenExample[] Sort(IEnumerable<TokenExample> batch, BatchOrder order) =>
        [.. order == BatchOrder.Length ? batch.OrderByDescending(example => example.Length) : batch];
}
