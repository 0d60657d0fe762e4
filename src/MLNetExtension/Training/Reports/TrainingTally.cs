using MLNetExtension.Training.Accumulation;

namespace MLNetExtension.Training.Reports;

/// <summary>Counts over the steps of a training.</summary>
/// <param name="targetTokens">Target tokens seen before, by the training that this one goes on from.</param>
internal sealed class TrainingTally(long targetTokens)
{
    private readonly long _before = targetTokens;
    private int _steps, _epochs, _withoutTargets, _nonFinite;
    private double _lastLoss = double.NaN;

    public long TargetTokens { get; private set; } = targetTokens;

    public int NonFiniteInARow { get; private set; }

    public void Count(BatchLoss loss, long tokens, StepOutcome outcome, int epoch)
    {
        _steps++;
        _epochs = epoch + 1;
        TargetTokens += tokens;
        switch (outcome)
        {
            case StepOutcome.NoTargets:
                _withoutTargets++;
                break;
            case StepOutcome.NonFinite:
                _nonFinite++;
                NonFiniteInARow++;
                break;
            default:
                _lastLoss = loss.Mean;
                NonFiniteInARow = 0;
                break;
        }
    }

    public TrainingSummary Summary(TimeSpan elapsed, StopReason end, BestWeights best) => new()
    {
        Steps = _steps,
        Epochs = _epochs,
        TargetTokens = TargetTokens - _before,
        Elapsed = elapsed,
        LastLoss = _lastLoss,
        StepsWithoutTargets = _withoutTargets,
        NonFiniteSteps = _nonFinite,
        End = end,
        ValidationLoss = double.IsFinite(best.Loss) ? best.Loss : null,
        BestStep = double.IsFinite(best.Loss) ? best.Step : null,
    };
}
