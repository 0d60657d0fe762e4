using Microsoft.ML;
using MLNetExtension;
using MLNetExtension.Generation;

namespace Samples;

public partial class SupportReplies
{
    /// <summary>The rows to train on: a question and its answer.</summary>
    public const string RetrainFilePath = "SupportReplies/SupportReplies.tsv";

    /// <summary>What separates the two.</summary>
    public const char RetrainSeparatorChar = '\t';

    /// <summary>Whether the first line names the columns.</summary>
    public const bool RetrainHasHeader = true;

    /// <summary>Whether a field in quotation marks may hold the separator.</summary>
    public const bool RetrainAllowQuoting = false;

    /// <summary>Optimizer steps.</summary>
    public const int RetrainSteps = 300;

    /// <summary>Seed of the split, the weights and the order of rows.</summary>
    public const int RetrainSeed = 1;

    /// <summary>The share of rows that is kept to evaluate on.</summary>
    public const double RetrainTestFraction = 0.2;

    /// <summary>Trains a model and saves it.</summary>
    /// <param name="outputModelPath">Where to, such as <c>SupportReplies.mlnet</c>.</param>
    /// <param name="inputDataFilePath">The rows to train on.</param>
    /// <param name="maximumSteps">Optimizer steps.</param>
    public static void Train(string outputModelPath, string inputDataFilePath = RetrainFilePath, int maximumSteps = RetrainSteps)
    {
        var mlContext = new MLContext(RetrainSeed);
        IDataView data = LoadIDataViewFromFile(mlContext, inputDataFilePath);
        ITransformer model = RetrainModel(mlContext, Split(mlContext, data).TrainSet, maximumSteps);
        using var owner = model as IDisposable;
        SaveModel(mlContext, model, data, outputModelPath);
    }

    /// <summary>Opens a file of rows.</summary>
    public static IDataView LoadIDataViewFromFile(MLContext mlContext, string inputDataFilePath) =>
        mlContext.Data.LoadFromTextFile<ModelInput>(inputDataFilePath, RetrainSeparatorChar, RetrainHasHeader, allowQuoting: RetrainAllowQuoting);

    /// <summary>The rows to train on and those to evaluate on; the same for the same file.</summary>
    public static DataOperationsCatalog.TrainTestData Split(MLContext mlContext, IDataView data) =>
        mlContext.Data.TrainTestSplit(data, RetrainTestFraction, seed: RetrainSeed);

    /// <summary>Saves a model with the schema of its input.</summary>
    public static void SaveModel(MLContext mlContext, ITransformer model, IDataView data, string modelSavePath) => mlContext.Model.Save(model, data.Schema, modelSavePath);

    /// <summary>Trains a model; dispose it when it is no longer used.</summary>
    public static ITransformer RetrainModel(MLContext mlContext, IDataView trainData, int maximumSteps = RetrainSteps) =>
        BuildPipeline(mlContext, maximumSteps).Fit(trainData);

    /// <summary>The pipeline that is trained.</summary>
    public static IEstimator<ITransformer> BuildPipeline(MLContext mlContext, int maximumSteps = RetrainSteps) =>
        mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(new CausalLanguageModelTrainer.Options
        {
            Columns = InputColumns.PromptCompletion(nameof(ModelInput.Prompt), nameof(ModelInput.Completion)),
            Model = LanguageModel.Gpt2(layers: 3, width: 128, contextLength: 256),
            BatchSize = 8,
            Schedule = new() { WarmupSteps = Math.Min(20, maximumSteps / 10) },
            MaximumSteps = maximumSteps,
            Outputs = new() { Generation = new GenerationOptions { MaximumNewTokens = 240, Temperature = 0 } },
        });
}
