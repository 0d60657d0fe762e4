using Microsoft.ML;
using MLNetExtension.Evaluation;

namespace Samples;

public partial class SupportReplies
{
    /// <summary>Measures a saved model on the rows that <see cref="Train"/> held out.</summary>
    /// <param name="modelPath">The model that was trained on the same file.</param>
    /// <param name="inputDataFilePath">The rows.</param>
    public static CausalLanguageModelMetrics Evaluate(string modelPath, string inputDataFilePath = RetrainFilePath)
    {
        var mlContext = new MLContext(RetrainSeed);
        mlContext.CausalLanguageModeling.RegisterLoader();
        ITransformer model = mlContext.Model.Load(modelPath, out _);
        using var owner = model as IDisposable;
        IDataView data = LoadIDataViewFromFile(mlContext, inputDataFilePath);
        return Evaluate(mlContext, model, Split(mlContext, data).TestSet);
    }

    /// <summary>Measures a model on data.</summary>
    public static CausalLanguageModelMetrics Evaluate(MLContext mlContext, ITransformer model, IDataView data) =>
        mlContext.CausalLanguageModeling.Evaluate(model.Transform(data));
}
