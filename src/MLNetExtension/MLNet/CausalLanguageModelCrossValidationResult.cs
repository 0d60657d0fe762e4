using Microsoft.ML;
using MLNetExtension.Evaluation;

namespace MLNetExtension;

/// <summary>The result of cross-validation with one fold held out.</summary>
public sealed class CausalLanguageModelCrossValidationResult : IDisposable
{
    internal CausalLanguageModelCrossValidationResult(int fold, CausalLanguageModelMetrics metrics, ITransformer? model) => (Fold, Metrics, Model) = (fold, metrics, model);

    /// <summary>The fold that was held out, from 0.</summary>
    public int Fold { get; }

    /// <summary>How well the model predicts the rows of that fold.</summary>
    public CausalLanguageModelMetrics Metrics { get; }

    /// <summary>The model that was trained on the other folds; null unless models are kept.</summary>
    public ITransformer? Model { get; }

    /// <summary>Frees the model, where there is one.</summary>
    public void Dispose() => (Model as IDisposable)?.Dispose();
}
