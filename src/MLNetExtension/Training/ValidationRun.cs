using MLNetExtension.Models;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Averaging;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Training;

/// <summary>Evaluates a model while it is trained, keeps its best weights and tells when it has stopped improving.</summary>
/// <param name="validation">How to evaluate it; null: not at all.</param>
/// <param name="model">The model.</param>
/// <param name="average">The average of its weights, which is evaluated in their place where it is used.</param>
/// <param name="parameters">Its weights.</param>
/// <param name="best">The best weights so far.</param>
/// <param name="requests">A request to stop gives an evaluation up, and no other is made; where the request was there before, the evaluation is the training's last and is finished.</param>
/// <param name="ranks">The ranks among which the rows to evaluate on are divided.</param>
internal sealed class ValidationRun(Validation? validation, CausalLanguageModel model, WeightAverage average, FlatParameters parameters, BestWeights best, EndRequests requests, IRankGroup ranks)
{
    private bool _givenUp;

    /// <summary>Whether patience has run out.</summary>
    public bool HasStoppedImproving => validation?.Patience <= best.WithoutImprovement;

    /// <summary>What the model generated at the last evaluation.</summary>
    public IReadOnlyList<GeneratedSample> Samples { get; private set; } = [];

    /// <summary>Makes no evaluation from now on: what they need was not computed.</summary>
    public void GiveUp() => _givenUp = true;

    /// <summary>Evaluates the model after a step, where an evaluation is due.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="isDue">Whether the step is one to evaluate after.</param>
    /// <returns>Nats per target token; null where none is due, this step was evaluated already, or the evaluation was given up.</returns>
    public double? Measure(int step, bool isDue)
    {
        if (validation is null || _givenUp || best.LastStep == step || !isDue)
            return null;
        average.TakeIfGood();
        // Evaluation mode draws no random numbers, and the generators of dropout start anew with every step: training continues as if nothing had been evaluated.
        model.eval();
        try
        {
            using IDisposable? shown = average.Show();
            (double Sum, double TargetCount) own = default;
            if (requests.StopIsRequested)
                ranks.RunTogether(() => own = Evaluate(requests.Cancel));
            else
                _givenUp = !requests.TryRun(token => own = Evaluate(token));
            if (_givenUp)
                return null;
            double[] sums = ranks.SumNumbers(own.Sum, own.TargetCount);
            double loss = sums[0] / sums[1];
            best.Offer(loss, step, parameters.Values, average.IsUsed);
            return loss;
        }
        finally
        {
            model.train();
        }
    }

    /// <summary>Copies the best weights that were evaluated back into the model.</summary>
    /// <param name="step">Steps taken.</param>
    /// <returns>Whether the model has the best weights now; false where no evaluation gave any.</returns>
    public bool RestoreBest(int step)
    {
        if (validation is null || best.Values is null)
            return false;
        best.Restore(parameters, average.IsUsed ? null : step);
        return true;
    }

    private (double Sum, double TargetCount) Evaluate(CancellationToken cancellationToken)
    {
        (double, double) sums = validation!.Loss(cancellationToken);
        Samples = ranks.Rank == 0 && validation.Samples is { } generate ? generate(cancellationToken) : [];
        return sums;
    }
}
