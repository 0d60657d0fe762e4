using System.Diagnostics;
using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;

namespace MLNetExtension.Training;

/// <summary>Walks over the examples, batch by batch and epoch by epoch, until a limit is reached.</summary>
internal static class TrainingLoop
{
    // Seeking the fastest budget costs about a dozen steps.
    private const int StepsWorthCalibrating = 200;

    /// <summary>Trains a model in place, on the device where it is, and leaves it in evaluation mode.</summary>
    /// <param name="model">The model; every parameter that needs a gradient is trained.</param>
    /// <param name="examples">What it learns from. A short last batch is divided by its own targets; nothing is dropped.</param>
    /// <param name="options">How; validated by whoever made them.</param>
    /// <param name="seed">Seed of the order of rows and of dropout; the same seed on the same machine gives the same model.</param>
    /// <param name="onStep">Called after every step.</param>
    /// <param name="cancellationToken">Looked at before every step.</param>
    /// <param name="state">Where to go on from, and where to write down how far training came; null for a training that is not to be resumed.</param>
    /// <param name="validation">How to measure the model meanwhile; the best weights measured are those it ends with. Its time counts as time of training. Default: not at all.</param>
    /// <param name="stopToken">Ends the training in order, after the step under way: the model is what was learnt so far. Default: never.</param>
    /// <param name="checkpoints">Where to write down meanwhile how far training came, and to go on from, in place of <paramref name="state"/>. Default: nowhere.</param>
    /// <exception cref="ArgumentException">There are no examples, or none of them has a target token.</exception>
    /// <exception cref="OperationCanceledException">The token asked for it; the weights are those of the last step.</exception>
    public static TrainingSummary Run(
        CausalLanguageModel model,
        IReadOnlyList<TokenExample> examples,
        TrainingOptions options,
        int seed,
        Action<StepReport>? onStep = null,
        CancellationToken cancellationToken = default,
        TrainingState? state = null,
        Validation? validation = null,
        CancellationToken stopToken = default,
        CheckpointManager? checkpoints = null)
    {
        if (!examples.Any(e => e.HasTargets))
            throw new ArgumentException($"Nothing to learn: none of the {examples.Count} rows has a target token.", nameof(examples));

        TrainingLimits limits = new(options, examples.Count, stopToken);
        EpochSampler sampler = new(examples.Count, seed);
        LearningRateSchedule schedule = new(options.LearningRate, options.MinimumLearningRate, options.Schedule.WarmupSteps);
        using TrainingStep trainingStep = new(model, options, calibrate: limits.Steps is null or >= StepsWorthCalibrating);
        using TrainingState? own = state is null ? new TrainingState() : null;
        TrainingState reached = state ?? own!;
        trainingStep.Restore(reached);
        checkpoints?.Restore(trainingStep, reached);
        TrainingTally tally = new(reached.TargetTokens);
        ValidationRun validationRun = new(validation, model, trainingStep.Parameters, reached.Best);
        TimeSpan before = reached.Elapsed;
        long start = Stopwatch.GetTimestamp();
        TimeSpan Elapsed() => before + Stopwatch.GetElapsedTime(start);

        StopReason? end = validationRun.HasStoppedImproving ? StopReason.NoImprovement : limits.End(reached.Steps, before, tally.NonFiniteInARow);
        model.train();
        try
        {
            foreach ((int step, int epoch, IReadOnlyList<TokenExample> batch) in Batches(examples, options.BatchSize, sampler, reached.Steps))
            {
                end ??= limits.StopIsRequested ? StopReason.Requested : null;
                if (end is not null)
                    break;
                cancellationToken.ThrowIfCancellationRequested();

                long stepStart = Stopwatch.GetTimestamp();
                double learningRate = schedule.LearningRate(step, Math.Min(1, limits.Progress(step, Elapsed())));
                (BatchLoss loss, StepOutcome outcome, double padding) = trainingStep.Run(batch, learningRate, EpochSampler.DropoutSeed(seed, step));
                TimeSpan stepTime = Stopwatch.GetElapsedTime(stepStart);
                long tokens = batch.Sum(e => e.HasTargets ? (long)e.TargetCount : 0);
                tally.Count(loss, tokens, outcome, epoch);

                end = limits.End(step + 1, Elapsed(), tally.NonFiniteInARow);
                double? validationLoss = validationRun.Measure(step + 1, isLast: end is not null and not StopReason.Requested);
                TimeSpan elapsed = Elapsed();
                (reached.Steps, reached.Elapsed, reached.TargetTokens) = (step + 1, elapsed, tally.TargetTokens);
                if (validationLoss is not null)
                    end ??= validationRun.HasStoppedImproving ? StopReason.NoImprovement : limits.End(step + 1, elapsed, tally.NonFiniteInARow);
                // Never between steps that are not finite: how many came in a row is not written down.
                if (checkpoints?.IsDue(step + 1) == true && tally.NonFiniteInARow == 0)
                    checkpoints.Write(trainingStep, reached);
                StepReport report = new()
                {
                    Step = step + 1,
                    Epoch = epoch + 1,
                    Progress = Math.Min(1, limits.Progress(step + 1, elapsed)),
                    Outcome = outcome,
                    Loss = loss.Mean,
                    LearningRate = learningRate,
                    GradientNorm = loss.GradientNorm,
                    TargetTokens = tokens,
                    Rows = batch.Count,
                    MicroBatches = loss.MicroBatches,
                    Accuracy = loss.Accuracy,
                    PaddingShare = padding,
                    TokensPerMicroBatch = trainingStep.TokensPerMicroBatch,
                    Workers = trainingStep.Workers,
                    StepTime = stepTime,
                    Elapsed = elapsed,
                    TotalTargetTokens = tally.TargetTokens,
                    ValidationLoss = validationLoss,
                    ExamplePositions = outcome == StepOutcome.NonFinite ? [.. batch.Select(e => e.Position)] : [],
                };
                TrainingInstruments.Record(report);
                onStep?.Invoke(report);
            }
            // Before the evaluation that only the stop calls for: a training that goes on from here must not know of it.
            if (end == StopReason.Requested && tally.NonFiniteInARow == 0)
                checkpoints?.Write(trainingStep, reached);
            validationRun.Measure(reached.Steps, isLast: true);
            validationRun.RestoreBest();
        }
        finally
        {
            model.eval();
            if (state is not null)
                trainingStep.Keep(state);
        }
        return tally.Summary(Stopwatch.GetElapsedTime(start), end!.Value, reached.Best);
    }

    // Endless: the limits end the walk. Where a step stands in its epoch is arithmetic, so a walk can begin anywhere.
    private static IEnumerable<(int Step, int Epoch, IReadOnlyList<TokenExample> Batch)> Batches(
        IReadOnlyList<TokenExample> examples, int batchSize, EpochSampler sampler, int firstStep)
    {
        int stepsPerEpoch = (examples.Count + batchSize - 1) / batchSize;
        for (int step = firstStep, epoch = firstStep / stepsPerEpoch; ; epoch++)
        {
            foreach (int[] rows in sampler.Order(epoch).Chunk(batchSize).Skip(step - epoch * stepsPerEpoch))
                yield return (step++, epoch, [.. rows.Select(row => examples[row])]);
        }
    }
}
