using MLNetExtension.Models;
using MLNetExtension.Training.Accumulation;

namespace MLNetExtension.Training;

/// <summary>Evaluates a model while it is trained, keeps its best weights and tells when it has stopped improving.</summary>
/// <param name="validation">How to evaluate it; null: not at all.</param>
/// <param name="model">The model.</param>
/// <param name="parameters">Its weights.</param>
/// <param name="best">The best weights so far.</param>
internal sealed class ValidationRun(Validation? validation, CausalLanguageModel model, FlatParameters parameters, BestWeights best)
{
    /// <summary>Whether patience has run out.</summary>
    public bool HasStoppedImproving => validation?.Patience <= best.WithoutImprovement;

    /// <summary>Evaluates the model after a step, where an evaluation is due.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="isLast">Whether training ends with this step.</param>
    /// <returns>Nats per target token; null where none is due, or this step was evaluated already.</returns>
    public double? Measure(int step, bool isLast)
    {
        if (validation is null || best.LastStep == step || !(isLast || step % validation.Interval == 0))
            return null;
        // Evaluation mode draws no random numbers, and the generators of dropout start anew with every step: training goes on as if nothing had been evaluated.
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

    /// <summary>Copies the best weights that were evaluated back into the model.</summary>
    public void RestoreBest()
    {
        if (validation is not null)
            best.Restore(parameters);
    }
}
