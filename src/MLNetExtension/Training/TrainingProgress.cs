using System.Diagnostics;
using MLNetExtension.Data;
using MLNetExtension.Training.Averaging;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Training;

/// <summary>How far a training has come: what its limits, its reports and its checkpoints count. Begins, and starts its clock, when it is made.</summary>
internal sealed class TrainingProgress
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private (int Steps, TimeSpan Elapsed, long TargetTokens) _resumed;    // what a checkpoint brought
    private int _epochs, _withoutTargets, _nonFinite;
    private double _lastLoss = double.NaN;

    /// <summary>Optimizer steps taken, those without an update included.</summary>
    public int Steps { get; private set; }

    /// <summary>Target tokens trained on.</summary>
    public long TargetTokens { get; private set; }

    /// <summary>The last steps, in a row, whose loss or gradient was not finite.</summary>
    public int NonFiniteInARow { get; private set; }

    /// <summary>Time spent training until now, before a checkpoint and since.</summary>
    public TimeSpan Elapsed => _resumed.Elapsed + Stopwatch.GetElapsedTime(_start);

    /// <summary>Resumes from the counts of a checkpoint.</summary>
    /// <param name="steps">Steps taken.</param>
    /// <param name="elapsed">Time spent.</param>
    /// <param name="targetTokens">Target tokens trained on.</param>
    public void Resume(int steps, TimeSpan elapsed, long targetTokens)
    {
        _resumed = (steps, elapsed, targetTokens);
        (Steps, TargetTokens) = (steps, targetTokens);
    }

    /// <summary>Counts a step.</summary>
    /// <param name="batch">Its batch.</param>
    /// <param name="result">What it gave.</param>
    public void Count(Batch batch, StepResult result)
    {
        Steps++;
        _epochs = batch.Epoch + 1;
        TargetTokens += batch.TargetTokens;
        switch (result.Outcome)
        {
            case StepOutcome.NoTargets:
                _withoutTargets++;
                break;
            case StepOutcome.NonFinite:
                _nonFinite++;
                NonFiniteInARow++;
                break;
            default:
                _lastLoss = result.Loss.Mean;
                NonFiniteInARow = 0;
                break;
        }
    }

    /// <summary>Summarizes the training since it began or was resumed.</summary>
    /// <param name="reason">Why it ended.</param>
    /// <param name="best">The best weights that were evaluated.</param>
    /// <param name="weightsStep">The step whose weights the model has, where they are not the best.</param>
    /// <param name="average">The average of the weights. Default: none.</param>
    public TrainingSummary Summarize(StopReason reason, BestWeights best, int weightsStep, WeightAverage? average = null) => new()
    {
        Steps = Steps - _resumed.Steps,
        Epochs = _epochs,
        TargetTokens = TargetTokens - _resumed.TargetTokens,
        Elapsed = Stopwatch.GetElapsedTime(_start),
        LastLoss = _lastLoss,
        StepsWithoutTargets = _withoutTargets,
        NonFiniteSteps = _nonFinite,
        End = reason,
        ValidationLoss = double.IsFinite(best.Loss) ? best.Loss : null,
        BestStep = double.IsFinite(best.Loss) ? best.Step : null,
        WeightsStep = double.IsFinite(best.Loss) ? best.Step : weightsStep,
        AveragedSteps = average?.Count ?? 0,
        HasAveragedWeights = double.IsFinite(best.Loss) ? best.AreAveraged : average is { IsUsed: true },
    };
}
