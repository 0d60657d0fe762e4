using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Training;

/// <summary>
/// Knows which step's weights the model has, and whether they are good: whether a loss that was computed with them is finite. A finite gradient can make weights that are not, which only the next loss
/// shows; the last update is then taken back when training ends.
/// </summary>
/// <param name="trainingStep">What updates the weights.</param>
internal sealed class GoodWeights(TrainingStep trainingStep)
{
    private int _before;
    private bool _isGood = true;    // there is no update yet that could be taken back
    private Batch? _batch;          // of the last update

    /// <summary>The step, from 1, whose weights the model has; 0 for those that training began with.</summary>
    public int Step { get; private set; }

    /// <summary>Whether the last update was taken back.</summary>
    public bool AreTakenBack { get; private set; }

    /// <summary>Resumes from the weights of a checkpoint.</summary>
    /// <param name="steps">Steps taken.</param>
    public void Resume(int steps) => Step = steps;

    /// <summary>Takes a loss that was computed with the present weights into account.</summary>
    /// <param name="loss">Summed or mean, in nats; null where there is none.</param>
    public void Judge(double? loss) => _isGood |= loss is { } value && double.IsFinite(value);

    /// <summary>Takes a step into account.</summary>
    /// <param name="batch">Its batch.</param>
    /// <param name="result">What it gave; the loss is that of the weights before it.</param>
    public void Count(Batch batch, StepResult result)
    {
        if (result.Loss.TargetCount > 0)
            Judge(result.Loss.Sum);
        if (result.Outcome == StepOutcome.Applied)
            (_before, Step, _batch, _isGood) = (Step, batch.Step + 1, batch, false);
    }

    /// <summary>Whether the present weights are good: where no loss has shown it yet, one is computed, of a micro-batch of the last batch.</summary>
    public bool AreGood()
    {
        if (!_isGood && FiniteWeights.CountNonFinite(trainingStep.Parameters.Values) == 0)
            Judge(trainingStep.ComputeLoss(_batch!.Examples));
        return _isGood;
    }

    /// <summary>Takes the last update back where its weights are not good. Called when training ends.</summary>
    public void Settle()
    {
        if (AreGood())
            return;
        trainingStep.TakeBack();
        (Step, AreTakenBack, _isGood) = (_before, true, true);
    }
}
