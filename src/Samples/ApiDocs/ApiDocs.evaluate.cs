using Microsoft.ML;
using MLNetExtension.Evaluation;

namespace Samples;

public partial class ApiDocs
{
    /// <summary>Measures a saved model on the members that <see cref="Train"/> held out.</summary>
    /// <param name="modelPath">The model that was trained on the same file.</param>
    /// <param name="inputDataFilePath">XML documentation, a file.</param>
    public static CausalLanguageModelMetrics Evaluate(string modelPath, string inputDataFilePath = RetrainFilePath)
    {
        var mlContext = new MLContext(RetrainSeed);
        mlContext.CausalLanguageModeling.RegisterLoader();
        ITransformer model = mlContext.Model.Load(modelPath, out _);
        using var owner = model as IDisposable;
        return Evaluate(mlContext, model, Split(mlContext, LoadIDataViewFromFile(mlContext, inputDataFilePath)).TestSet);
    }

    /// <summary>Measures a model on data.</summary>
    public static CausalLanguageModelMetrics Evaluate(MLContext mlContext, ITransformer model, IDataView data) =>
        mlContext.CausalLanguageModeling.Evaluate(model.Transform(data));
}
