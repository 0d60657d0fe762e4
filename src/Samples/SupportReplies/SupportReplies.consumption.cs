using Microsoft.ML;
using Microsoft.ML.Data;

namespace Samples;

/// <summary>Drafts the reply to a customer's question.</summary>
public partial class SupportReplies
{
    /// <summary>A question, and its answer where there is one.</summary>
    public class ModelInput
    {
        /// <summary>What the customer asks.</summary>
        [LoadColumn(0)]
        public string Prompt { get; set; } = "";

        /// <summary>What was answered; empty where the model is to write it.</summary>
        [LoadColumn(1)]
        public string Completion { get; set; } = "";
    }

    /// <summary>What the model makes of a question.</summary>
    public class ModelOutput
    {
        /// <summary>The question.</summary>
        public string Prompt { get; set; } = "";

        /// <summary>The reply that the model drafts.</summary>
        public string GeneratedText { get; set; } = "";
    }

    /// <summary>The model that <see cref="Predict"/> loads when it is first called.</summary>
    public static string MLNetModelPath { get; set; } = Path.GetFullPath("SupportReplies.mlnet");

    /// <summary>The engine that <see cref="Predict"/> uses. It is for one thread at a time.</summary>
    public static readonly Lazy<PredictionEngine<ModelInput, ModelOutput>> PredictEngine = new(CreatePredictEngine, isThreadSafe: true);

    /// <summary>Drafts a reply.</summary>
    public static ModelOutput Predict(ModelInput input) => PredictEngine.Value.Predict(input);

    private static PredictionEngine<ModelInput, ModelOutput> CreatePredictEngine()
    {
        var mlContext = new MLContext();
        mlContext.CausalLanguageModeling.RegisterLoader();
        ITransformer mlModel = mlContext.Model.Load(MLNetModelPath, out _);
        return mlContext.Model.CreatePredictionEngine<ModelInput, ModelOutput>(mlModel);
    }
}
