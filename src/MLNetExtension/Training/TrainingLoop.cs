using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Averaging;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>Trains a model, batch by batch and epoch by epoch, until a limit is reached.</summary>
internal sealed class TrainingLoop : IDisposable
{
    // Trials of splits take some dozens of steps, and cost the time of 3 to 26 of them (simulated).
    private const int StepsWorthTuning = 200;

    private readonly TrainingRun _run;
    private readonly IRankGroup _ranks;
    private readonly EndRequests _requests;
    private readonly BatchSequence _batches;
    private readonly TrainingLimits _limits;
    private readonly LearningRateSchedule _schedule;
    private readonly IDisposable _frozen;
    private readonly TrainingStep _trainingStep;
    private readonly BestWeights _best = new();
    private readonly TrainingProgress _progress = new();
    private readonly ValidationRun _validation;
    private readonly GoodWeights _weights;
    private readonly WeightAverage _average;
    private readonly ModelFlops _flops;
    private readonly MemoryReader _memory;
    private StopReason? _stopReason;

    private TrainingLoop(TrainingRun run)
    {
        TrainingOptions options = run.Options;
        _run = run;
        _ranks = run.Ranks.Group;
        _requests = new EndRequests(run.CancellationToken, run.StopToken, _ranks);
        EpochDivision division = options.BatchTargetTokens is { } tokens ? EpochDivision.ByTargetTokens(run.Examples, tokens) : EpochDivision.ByRows(run.Examples.Count / run.RowsTogether, options.BatchSize);
        _batches = new BatchSequence(run.Examples, division, new EpochSampler(run.Examples.Count / run.RowsTogether, run.Seed, options.RowOrder, run.OrderValues), run.RowsTogether);
        _limits = new TrainingLimits(options, _batches.StepsPerEpoch);
        _schedule = new LearningRateSchedule(options.Schedule, options.LearningRate, _limits.Steps);
        ParameterPlan plan = ParameterPlan.Create(run.Model, options.Optimizer, run.PublishedNames);
        _frozen = plan.Freeze(run.Model);
        _trainingStep = new TrainingStep(run.Model, options, tune: _limits.Steps is null or >= StepsWorthTuning, plan, run.Ranks)
        {
            OnOutOfMemory = (before, after) => run.OnOutOfMemory?.Invoke(_progress.Steps + 1, before, after),
            OnSplitChosen = run.OnSplitChosen,
            BeforeUpdate = () => _average!.Take(),
            Preference = run.Preference,
        };
        _weights = new GoodWeights(_trainingStep);
        _average = new WeightAverage(options.Regularization.Averaging, _trainingStep.Parameters, _weights);
        _validation = new ValidationRun(run.Validation, run.Model, _average, _trainingStep.Parameters, _best, _requests, _ranks);
        (_flops, _memory) = (ModelFlops.Of(run.Model), new MemoryReader(run.Model.Device));
    }

    /// <summary>Trains a model in place, on the device where it is, and leaves it in evaluation mode. Where there are several ranks, each makes this call, and all end with the same weights.</summary>
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
        _average.Dispose();
        _trainingStep.Dispose();
        _frozen.Dispose();
        _requests.Dispose();
    }

    private TrainingSummary Train()
    {
        BroadcastWeights();
        MeasureReference();
        _run.Checkpoints?.Restore(_trainingStep, _progress, _best, _average);
        _weights.Resume(_progress.Steps);
        _average.Start();
        if (!_trainingStep.IsSearching && _ranks.Rank == 0)
            _run.OnSplitChosen?.Invoke(_trainingStep.Plan, null);
        _run.Model.train();
        try
        {
            TimeSpan elapsed = _requests.Agree(_progress.Elapsed);
            // Where a stop gave an evaluation up, the training that resumes from there makes it.
            _validation.Measure(_progress.Steps, IsDue(_run.Validation?.Interval));
            _stopReason = FindStopReason(elapsed);
            foreach (Batch batch in _batches.StartAt(_progress.Steps, next => _trainingStep.Load(next.Examples)))
            {
                elapsed = _requests.Agree(_progress.Elapsed);
                if (_stopReason is null && _requests.StopIsRequested)
                    _stopReason = StopReason.Requested;
                if (_stopReason is not null)
                    break;
                TrainOn(batch, elapsed);
            }
            if (_stopReason == StopReason.Requested)
                WriteCheckpoint(elapsed);
            Validate(isDue: true);
            if (!_validation.RestoreBest(_progress.Steps))
            {
                _weights.Settle();
                _average.GiveToModel();
            }
        }
        finally
        {
            _run.Model.eval();
        }
        _ranks.RequireSame(_trainingStep.Parameters.Values, "The trained weights");
        return _progress.Summarize(_stopReason!.Value, _best, _weights.Step, _average);
    }

    // With the weights that training begins with, before a checkpoint brings others; where a stop interrupts it, no step is taken.
    private void MeasureReference()
    {
        if (_run.Preference is not { } preference)
            return;
        _run.Model.eval();
        BatchingOptions batching = _run.Options.Batching;
        RowScorer scorer = new(_run.Model, batching.MaximumTokensPerMicroBatch, batching.PackRows, batching.Threads ?? _ranks.Threads);
        int count = _run.Examples.Count;
        IEnumerable<TokenExample> own = Enumerable.Range(0, count).Where(i => i % _ranks.Size == _ranks.Rank).Select(i => _run.Examples[i]);
        bool isMeasured = _requests.TryRun(token =>
        {
            preference.MeasureReference(scorer, own, count, token);
            _run.Validation?.Prepare?.Invoke(token);
        });
        if (isMeasured)
            preference.ShareReference(_ranks);
        else
            _validation.GiveUp();
    }

    // Every rank has made them from the same seed or the same files; that the first one's count leaves nothing to differences between machines.
    private void BroadcastWeights()
    {
        if (_ranks.Size == 1)
            return;
        foreach (Tensor fixedValues in _run.Model.parameters().Where(parameter => !parameter.requires_grad).Concat(_run.Model.buffers()))
            _ranks.Broadcast(fixedValues);
        _ranks.Broadcast(_trainingStep.Parameters.Values);
        _trainingStep.Parameters.PublishValues();
    }

    private void TrainOn(Batch batch, TimeSpan before)
    {
        if (_run.Preference is { } preference)
            batch = batch with { TargetTokens = preference.CountTargets(batch.Examples) };
        double done = ShareDone(before), learningRate = _schedule.LearningRate(batch.Step, done);
        StepResult result = _trainingStep.Run(batch.Examples, learningRate, EpochSampler.DropoutSeed(_run.Seed, batch.Step), _requests.Cancel);
        _progress.Count(batch, result);
        _weights.Count(batch, result);
        if (result.Outcome == StepOutcome.Applied)
            _average.Follow(_weights.Step, done, ShareDone(before));

        double? validationLoss = Validate(IsDue(_run.Validation?.Interval));
        TimeSpan elapsed = _requests.Agree(_progress.Elapsed);
        _stopReason = FindStopReason(elapsed);
        if (_stopReason is not null && _run.Validation is null)
            _weights.Settle();

        bool hasCheckpoint = (_stopReason is not null || IsDue(_run.Checkpoints?.Interval)) && WriteCheckpoint(elapsed);
        // After the checkpoint, where only the end calls for this evaluation: a training that resumes from there must not know of it.
        if (_stopReason is not null and not StopReason.Requested)
            validationLoss ??= _validation.Measure(_progress.Steps, isDue: true);
        if (_ranks.Rank != 0)
            return;
        StepReport report = Report(batch, result, elapsed) with { ValidationLoss = validationLoss, Samples = validationLoss is null ? [] : _validation.Samples, HasCheckpoint = hasCheckpoint };
        TrainingInstruments.Record(report);
        _run.OnStep?.Invoke(report);
    }

    // The loss of averaged weights says nothing about the weights themselves.
    private double? Validate(bool isDue)
    {
        double? loss = _validation.Measure(_progress.Steps, isDue);
        if (!_average.IsUsed)
            _weights.Judge(loss);
        return loss;
    }

    private StopReason? FindStopReason(TimeSpan elapsed) =>
        _limits.FindStopReason(_progress.Steps, elapsed, _progress.NonFiniteInARow)
            ?? (_requests.StopIsRequested ? StopReason.Requested : _validation.HasStoppedImproving ? StopReason.NoImprovement : null);

    private bool IsDue(TrainingInterval? interval) => interval?.IsDue(_progress.Steps, _batches.StepsPerEpoch) == true;

    private double ShareDone(TimeSpan elapsed) => Math.Min(1, _limits.Progress(_progress.Steps, elapsed));

    // Never between steps that are not finite: how many came in a row is not written. Nor of weights that are not good: a training that resumes from them could not take their update back.
    private bool WriteCheckpoint(TimeSpan elapsed)
    {
        if (_run.Checkpoints is not { } checkpoints || _progress.NonFiniteInARow != 0 || _weights.AreTakenBack || !_weights.AreGood())
            return false;
        _ranks.RequireSame(_trainingStep.Parameters.Values, $"The weights after step {_progress.Steps}");
        _average.TakeIfGood();
        return checkpoints.Write(_trainingStep, _progress, elapsed, _best, _average);
    }

    private StepReport Report(Batch batch, StepResult result, TimeSpan elapsed)
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
            TargetWeight = loss.TargetCount,
            Rows = batch.Examples.Count / _run.RowsTogether,
            OrderValue = batch.OrderValue,
            MicroBatches = loss.MicroBatches,
            Accuracy = loss.Accuracy,
            PaddingShare = result.PaddingShare,
            TokensPerMicroBatch = _trainingStep.Plan.Tokens,
            Workers = _trainingStep.Plan.Workers,
            StepTime = result.Duration,
            Elapsed = elapsed,
            TotalTargetTokens = _progress.TargetTokens,
            AveragedSteps = _average.Count,
            Memory = _memory.Read(),
            ModelFlops = _flops.OfBatch(batch.Examples),
            MatrixPeak = _run.MatrixPeak,
            Preference = result.Preference is { } sums ? new PreferenceReport(sums) : null,
            ExamplePositions = result.Outcome == StepOutcome.NonFinite ? [.. batch.Examples.Select(e => e.Position)] : [],
        };
    }
}
