using MLNetExtension.Data;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Training;

/// <summary>Trains a model, batch by batch and epoch by epoch, until a limit is reached.</summary>
internal sealed class TrainingLoop : IDisposable
{
    // The search for the fastest split costs about a dozen steps.
    private const int StepsWorthTuning = 200;

    private readonly TrainingRun _run;
    private readonly EndRequests _requests;
    private readonly TrainingLimits _limits;
    private readonly LearningRateSchedule _schedule;
    private readonly TrainingStep _trainingStep;
    private readonly BestWeights _best = new();
    private readonly TrainingProgress _progress = new();
    private readonly ValidationRun _validation;
    private readonly GoodWeights _weights;
    private StopReason? _stopReason;

    private TrainingLoop(TrainingRun run)
    {
        TrainingOptions options = run.Options;
        _run = run;
        _requests = new EndRequests(run.CancellationToken, run.StopToken);
        _limits = new TrainingLimits(options, run.Examples.Count, run.StopToken);
        _schedule = new LearningRateSchedule(options.LearningRate, options.MinimumLearningRate, options.Schedule.GetWarmupSteps(_limits.Steps));
        _trainingStep = new TrainingStep(
            run.Model, options, tune: _limits.Steps is null or >= StepsWorthTuning, DecayedParameters.Create(run.Model, options.Optimizer, run.PublishedNames))
        {
            OnOutOfMemory = (before, after) => run.OnOutOfMemory?.Invoke(_progress.Steps + 1, before, after),
        };
        _validation = new ValidationRun(run.Validation, run.Model, _trainingStep.Parameters, _best, _requests);
        _weights = new GoodWeights(_trainingStep);
    }

    /// <summary>Trains a model in place, on the device where it is, and leaves it in evaluation mode.</summary>
    /// <param name="run">What is trained, on what and how.</param>
    /// <exception cref="ArgumentException">There are no examples, or none of them has a target token.</exception>
    /// <exception cref="OperationCanceledException">The token asked for it; the weights are those of the last step.</exception>
    public static TrainingSummary Run(TrainingRun run)
    {
        if (!run.Examples.Any(e => e.HasTargets))
            throw new ArgumentException($"Nothing to train on: none of the {run.Examples.Count} rows has a target token.", nameof(run));
        using TrainingLoop loop = new(run);
        return loop.Train();
    }

    /// <summary>Frees what training needs; the model keeps its weights.</summary>
    public void Dispose()
    {
        _best.Dispose();
        _trainingStep.Dispose();
        _requests.Dispose();
    }

    private TrainingSummary Train()
    {
        _run.Checkpoints?.Restore(_trainingStep, _progress, _best);
        _weights.Resume(_progress.Steps);
        BatchSequence batches = new(_run.Examples, _run.Options.BatchSize, new EpochSampler(_run.Examples.Count, _run.Seed, _run.Options.RowOrder));
        _run.Model.train();
        try
        {
            // Where a stop gave an evaluation up, the training that resumes from there makes it.
            _validation.Measure(_progress.Steps, isLast: false);
            _stopReason = FindStopReason();
            foreach (Batch batch in batches.StartAt(_progress.Steps))
            {
                if (_stopReason is null && !_requests.TryRun(token => _trainingStep.Tune(batch.Examples, token)))
                    _stopReason = StopReason.Requested;
                if (_stopReason is not null)
                    break;
                StepReport report = TrainOn(batch);
                TrainingInstruments.Record(report);
                _run.OnStep?.Invoke(report);
            }
            if (_stopReason == StopReason.Requested)
                WriteCheckpoint(_progress.Elapsed);
            _weights.Judge(_validation.Measure(_progress.Steps, isLast: true));
            if (!_validation.RestoreBest(_progress.Steps))
                _weights.Settle();
        }
        finally
        {
            _run.Model.eval();
        }
        return _progress.Summarize(_stopReason!.Value, _best, _weights.Step);
    }

    private StepReport TrainOn(Batch batch)
    {
        double learningRate = _schedule.LearningRate(batch.Step, ShareDone(_progress.Elapsed));
        StepResult result = _trainingStep.Run(batch.Examples, learningRate, EpochSampler.DropoutSeed(_run.Seed, batch.Step), _requests.Cancel);
        _progress.Count(batch, result);
        _weights.Count(batch, result);

        double? validationLoss = _validation.Measure(_progress.Steps, isLast: false);
        _weights.Judge(validationLoss);
        _stopReason = FindStopReason();
        if (_stopReason is not null && _run.Validation is null)
            _weights.Settle();

        TimeSpan elapsed = _progress.Elapsed;
        if (_stopReason is not null || _run.Checkpoints?.IsDue(_progress.Steps) == true)
            WriteCheckpoint(elapsed);
        // After the checkpoint, where only the end calls for this evaluation: a training that resumes from there must not know of it.
        if (_stopReason is not null and not StopReason.Requested)
            validationLoss ??= _validation.Measure(_progress.Steps, isLast: true);
        return Report(batch, result, elapsed, validationLoss);
    }

    private StopReason? FindStopReason() =>
        _limits.FindStopReason(_progress.Steps, _progress.Elapsed, _progress.NonFiniteInARow) ?? (_validation.HasStoppedImproving ? StopReason.NoImprovement : null);

    private double ShareDone(TimeSpan elapsed) => Math.Min(1, _limits.Progress(_progress.Steps, elapsed));

    // Never between steps that are not finite: how many came in a row is not written. Nor of weights that are not good: a training that resumes from them could not take their update back.
    private void WriteCheckpoint(TimeSpan elapsed)
    {
        if (_run.Checkpoints is { } checkpoints && _progress.NonFiniteInARow == 0 && !_weights.AreTakenBack && _weights.AreGood())
            checkpoints.Write(_trainingStep, _progress, elapsed, _best);
    }

    private StepReport Report(Batch batch, StepResult result, TimeSpan elapsed, double? validationLoss)
    {
        BatchLoss loss = result.Loss;
        return new StepReport
        {
            Step = batch.Step + 1,
            Epoch = batch.Epoch + 1,
            Progress = ShareDone(elapsed),
            Outcome = result.Outcome,
            Loss = loss.Mean,
            LearningRate = result.LearningRate,
            GradientNorm = loss.GradientNorm,
            TargetTokens = batch.TargetTokens,
            Rows = batch.Examples.Count,
            MicroBatches = loss.MicroBatches,
            Accuracy = loss.Accuracy,
            PaddingShare = result.PaddingShare,
            TokensPerMicroBatch = _trainingStep.TokensPerMicroBatch,
            Workers = _trainingStep.Workers,
            StepTime = result.Duration,
            Elapsed = elapsed,
            TotalTargetTokens = _progress.TargetTokens,
            ValidationLoss = validationLoss,
            ExamplePositions = result.Outcome == StepOutcome.NonFinite ? [.. batch.Examples.Select(e => e.Position)] : [],
        };
    }
}
