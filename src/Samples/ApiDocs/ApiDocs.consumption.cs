using Microsoft.ML;

namespace Samples;

/// <summary>Writes the summary of an API member from its id, such as <c>M:System.String.Trim</c>.</summary>
public partial class ApiDocs
{
    /// <summary>A member of an API.</summary>
    public class ModelInput
    {
        /// <summary>Its id, as in XML documentation.</summary>
        public string Prompt { get; set; } = "";

        /// <summary>Its summary; empty where it is to be written.</summary>
        public string Completion { get; set; } = "";
    }

    /// <summary>What the model makes of a member.</summary>
    public class ModelOutput
    {
        /// <summary>The member's id.</summary>
        public string Prompt { get; set; } = "";

        /// <summary>The summary that the model writes.</summary>
        public string GeneratedText { get; set; } = "";
    }

    /// <summary>The model that <see cref="Predict"/> loads when it is first called.</summary>
    public static string MLNetModelPath { get; set; } = Path.GetFullPath("ApiDocs.mlnet");

    /// <summary>The engine that <see cref="Predict"/> uses. It is for one thread at a time.</summary>
    public static readonly Lazy<PredictionEngine<ModelInput, ModelOutput>> PredictEngine = new(CreatePredictEngine, isThreadSafe: true);

    /// <summary>Writes the summary of a member.</summary>
    public static ModelOutput Predict(ModelInput input) => PredictEngine.Value.Predict(input);

    private static PredictionEngine<ModelInput, ModelOutput> CreatePredictEngine()
    {
        var mlContext = new MLContext();
        mlContext.CausalLanguageModeling.RegisterLoader();
        ITransformer mlModel = mlContext.Model.Load(MLNetModelPath, out _);
        return mlContext.Model.CreatePredictionEngine<ModelInput, ModelOutput>(mlModel);
    }
}
