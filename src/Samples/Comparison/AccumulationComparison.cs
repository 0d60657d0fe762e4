using System.Diagnostics;
using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;

namespace Samples.Comparison;

/// <summary>
/// Trains the same model from the same weights on the same windows under several policies and cuts, beside the full batch: one micro-batch that
/// holds the whole window, divided by its targets. Shows what <see cref="LossNormalization.Token"/> keeps and the other policies do not.
/// </summary>
internal static class AccumulationComparison
{
    /// <summary>Trains all runs in step with each other, on the CPU, so that memory does not grow with the number of steps.</summary>
    /// <param name="configuration">Sizes of the model; without dropout, whose random numbers depend on the cut.</param>
    /// <param name="examples">The rows; those without a target are left out. At least as many as a window has. A short last window is divided by its own targets.</param>
    /// <param name="settings">What to compare.</param>
    /// <param name="onProgress">Called after every step.</param>
    /// <param name="cancellationToken">Looked at before every window of every run.</param>
    /// <returns>The full batch first, then every other pair of policy and cut, in the order of the settings.</returns>
    /// <exception cref="ArgumentException">A setting is out of its range, the model has dropout, or there are too few rows.</exception>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public static IReadOnlyList<AccumulationRun> Run(
        Gpt2Configuration configuration,
        IReadOnlyList<TokenExample> examples,
        AccumulationComparisonSettings settings,
        Action<AccumulationProgress>? onProgress = null,
        CancellationToken cancellationToken = default)
    {
        settings.Validate();
        if (configuration.Dropout != 0)
            throw new ArgumentException(FormattableString.Invariant($"Dropout is {configuration.Dropout}; allowed is 0, because its random numbers depend on the cut."), nameof(configuration));
        TokenExample[] rows = [.. examples.Where(e => e.HasTargets)];
        if (rows.Length < settings.WindowRows)
            throw new ArgumentException($"{rows.Length} of {examples.Count} rows have a target token; a window of {settings.WindowRows} rows needs as many.", nameof(examples));

        long start = Stopwatch.GetTimestamp();
        List<ComparedTraining> runs = [];
        try
        {
            foreach ((LossNormalization normalization, BatchSplit cut) in Pairs(settings))
                runs.Add(new ComparedTraining(configuration, settings, normalization, cut));
            ComparedTraining fullBatch = runs[0];
            foreach ((int step, TokenExample[] window) in Windows(rows, settings))
            {
                foreach (ComparedTraining run in runs)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    run.Accumulate(window, fullBatch);
                }
                foreach (ComparedTraining run in runs)
                    run.Step(settings.LearningRate, fullBatch);
                onProgress?.Invoke(new AccumulationProgress(step + 1, settings.Steps, fullBatch.LastLoss, Stopwatch.GetElapsedTime(start)));
            }
            return [.. runs.Select(run => run.Result())];
        }
        finally
        {
            foreach (ComparedTraining run in runs)
                run.Dispose();
        }
    }

    private static IEnumerable<(LossNormalization Normalization, BatchSplit Cut)> Pairs(AccumulationComparisonSettings settings)
    {
        (LossNormalization, BatchSplit) fullBatch = (LossNormalization.Token, new BatchSplit(1, settings.WindowRows));
        return settings.Normalizations.SelectMany(normalization => settings.Cuts.Select(cut => (normalization, cut))).Prepend(fullBatch).Distinct();
    }

    private static IEnumerable<(int Step, TokenExample[] Window)> Windows(TokenExample[] rows, AccumulationComparisonSettings settings)
    {
        EpochSampler sampler = new(rows.Length, settings.Seed);
        return Enumerable.Range(0, int.MaxValue)
            .SelectMany(epoch => sampler.Order(epoch).Chunk(settings.WindowRows))
            .Take(settings.Steps)
            .Select((order, step) => (step, Arrange(order.Select(row => rows[row]), settings.Order)));
    }

    private static TokenExample[] Arrange(IEnumerable<TokenExample> window, RowOrder order) =>
        [.. order == RowOrder.Length ? window.OrderByDescending(e => e.Length) : window];
}
