using Microsoft.ML;
using MLNetExtension.Evaluation;

namespace MLNetExtension.MLNet;

/// <summary>Fits and measures, fold after fold. At any time at most one model lives that is not to be returned.</summary>
internal static class CrossValidation
{
    public static IReadOnlyList<CausalLanguageModelCrossValidationResult> Run(
        IReadOnlyList<DataOperationsCatalog.TrainTestData> folds,
        IEstimator<ITransformer> estimator,
        bool keepModels,
        Func<IDataView, CausalLanguageModelMetrics> evaluate)
    {
        var results = new List<CausalLanguageModelCrossValidationResult>();
        try
        {
            foreach (var fold in folds)
                results.Add(Run(results.Count, fold, estimator, keepModels, evaluate));
            return results;
        }
        catch
        {
            results.ForEach(result => result.Dispose());
            throw;
        }
    }

    private static CausalLanguageModelCrossValidationResult Run(
        int index, DataOperationsCatalog.TrainTestData fold, IEstimator<ITransformer> estimator, bool keepModel, Func<IDataView, CausalLanguageModelMetrics> evaluate)
    {
        var model = estimator.Fit(fold.TrainSet);
        bool kept = false;
        try
        {
            var metrics = evaluate(model.Transform(fold.TestSet));
            kept = keepModel;
            return new CausalLanguageModelCrossValidationResult(index, metrics, kept ? model : null);
        }
        finally
        {
            if (!kept)
                (model as IDisposable)?.Dispose();
        }
    }
}
