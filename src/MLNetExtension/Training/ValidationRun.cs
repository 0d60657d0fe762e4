using MLNetExtension.Models;
using MLNetExtension.Training.Accumulation;

namespace MLNetExtension.Training;

/// <summary>Measures a model while it is trained, keeps its best weights and says when it has stopped getting better.</summary>
/// <param name="validation">What to measure; null: nothing.</param>
/// <param name="model">The model.</param>
/// <param name="parameters">Its weights.</param>
/// <param name="best">What was measured so far.</param>
internal sealed class ValidationRun(Validation? validation, CausalLanguageModel model, FlatParameters parameters, BestWeights best)
{
    /// <summary>Whether patience has run out.</summary>
    public bool HasStoppedImproving => validation?.Patience <= best.WithoutImprovement;

    /// <summary>Measures the model after a step, where an evaluation is due.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="isLast">Whether training ends with this step.</param>
    /// <returns>Nats per target token; null where none is due, or this step was measured already.</returns>
    public double? Measure(int step, bool isLast)
    {
        if (validation is null || best.LastStep == step || !(isLast || step % validation.Interval == 0))
            return null;
        // Evaluation mode draws no random numbers, and the generators of dropout start anew with every step: training goes on as if nothing had been measured.
        model.eval();
        try
        {
            double loss = validation.Loss();
            best.Offer(loss, step, parameters.Values);
            return loss;
        }
        finally
        {
            model.train();
        }
    }

    /// <summary>Gives the model the best weights that were measured.</summary>
    public void RestoreBest()
    {
        if (validation is not null)
            best.Restore(parameters);
    }
}
