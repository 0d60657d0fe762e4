using Microsoft.ML;
using Microsoft.ML.Transforms.Text;
using MLNetExtension;
using MLNetExtension.Training.Optimization;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary><c>train</c>: a small GPT with random initial weights, trained in a pipeline after text normalization.</summary>
internal sealed class FromScratchRecipe : ITrainingRecipe
{
    public TrainingSettings Settings { get; } = new()
    {
        OutputFolder = Path.Combine("artifacts", "train"),
        Options = new()
        {
            Model = LanguageModel.Gpt2(layers: 3, heads: 4, width: 128, contextLength: 256),
            Optimizer = new MuonOptions(),    // in the same time a quarter fewer bits per byte than AdamW, see docs/optimizers.md
            Seed = 1,
        },
    };

    /// <summary>The sizes of the model.</summary>
    public LanguageModel.Gpt2Network Network
    {
        get => (LanguageModel.Gpt2Network)Settings.Options.Model;
        set => Settings.Options.Model = value;
    }

    public object DescribeSettings(CausalLanguageModelTrainer.Options options) => new
    {
        Network.Layers, Network.Heads, Network.Width, Context = Network.ContextLength, options.BatchSize, BatchTokens = options.BatchTargetTokens, options.Loss.PromptWeight, RowOrder = options.RowOrder.ToString(),
        MicroBatchTokens = options.Batching.MaximumTokensPerMicroBatch,
        LossNormalization = options.Loss.Normalization, Loss = options.Loss.Kind.Describe(), Teacher = Settings.Teacher?.Place, options.LearningRate, options.Optimizer.WeightDecay, Settings.Seed, Device = Settings.Device.ToString(),
    };

    public RowSet ReadRows() => RowFile.ReadOrDocumentation(Settings.DataFile, Settings.Columns);

    /// <summary>The pipeline of the README.</summary>
    public IEstimator<ITransformer> CreatePipeline(MLContext mlContext, CausalLanguageModelTrainer.Options options, RowKind kind)
    {
        CausalLanguageModelTrainer trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);
        return kind == RowKind.Prompts
            ? Normalize(mlContext, RowDataView.Prompt).Append(Normalize(mlContext, RowDataView.Completion)).Append(trainer)
            : Normalize(mlContext, RowDataView.Text).Append(trainer);
    }

    public IDataView Prepare(MLContext mlContext, IDataView rows, RowKind kind)
    {
        string[] columns = kind == RowKind.Prompts ? [RowDataView.Prompt, RowDataView.Completion] : [RowDataView.Text];
        return columns.Aggregate(rows, (data, column) => Normalize(mlContext, column).Fit(data).Transform(data));
    }

    private static TextNormalizingEstimator Normalize(MLContext mlContext, string column) => mlContext.Transforms.Text.NormalizeText(
        column, caseMode: TextNormalizingEstimator.CaseMode.None, keepDiacritics: true, keepPunctuations: true, keepNumbers: true);

    public bool MayWrite(string fileName) => false;

    public IReadOnlyList<string> WriteFiles(CausalLanguageModelTransformer model, OutputFolder output) => [];
}
