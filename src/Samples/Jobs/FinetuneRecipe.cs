using Microsoft.ML;
using MLNetExtension;
using Samples.Errors;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary><c>finetune</c>: a published model, of which all weights or LoRA adapters are trained, and which is also exported in Hugging Face's formats.</summary>
internal sealed class FinetuneRecipe : ITrainingRecipe
{
    private const string ModelFolder = "model", AdapterFolder = "adapters";

    public TrainingSettings Settings { get; } = new()
    {
        OutputFolder = Path.Combine("artifacts", "finetune"),
        Options = new() { Model = LanguageModel.Pretrained("", contextLength: 512), Seed = 1 },
    };

    /// <summary>The published model.</summary>
    public LanguageModel.PretrainedModel Base
    {
        get => (LanguageModel.PretrainedModel)Settings.Options.Model;
        set => Settings.Options.Model = value;
    }

    public object DescribeSettings(CausalLanguageModelTrainer.Options options) => new
    {
        Base = Base.Folder, options.Adapters?.Rank, options.Adapters?.Alpha, Targets = options.Adapters?.TargetModules, options.Adapters?.UseDora, options.Adapters?.RankStabilized,
        options.Adapters?.Initialization, options.Adapters?.BasePrecision, options.Adapters?.TrainedModules, Context = Base.ContextLength,
        options.BatchSize, BatchTokens = options.BatchTargetTokens, options.Loss.PromptWeight, RowOrder = options.RowOrder.ToString(), MicroBatchTokens = options.Batching.MaximumTokensPerMicroBatch, options.Batching.Precision,
        Loss = options.Loss.Kind.Describe(), Teacher = Settings.Teacher?.Place, options.LearningRate, options.Optimizer.WeightDecay, Settings.Seed, Device = Settings.Device.ToString(),
    };

    public RowSet ReadRows()
    {
        string output = Path.GetFullPath(Settings.OutputFolder), published = Path.GetFullPath(Base.Folder);
        if (!Directory.Exists(published))
            throw new UserErrorException($"--base {Base.Folder} is not a folder; it must be one with a published model: config.json, *.safetensors and tokenizer files.");
        if ((published + Path.DirectorySeparatorChar).StartsWith(output + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw new UserErrorException($"--output {Settings.OutputFolder} would replace --base {Base.Folder}; choose another folder.");
        return RowFile.Read(Settings.DataFile!, Settings.Columns);
    }

    public IEstimator<ITransformer> CreatePipeline(MLContext mlContext, CausalLanguageModelTrainer.Options options, RowKind kind) =>
        mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);

    public IDataView Prepare(MLContext mlContext, IDataView rows, RowKind kind) => rows;

    public bool MayWrite(string fileName) => fileName is ModelFolder or AdapterFolder;

    public IReadOnlyList<string> WriteFiles(CausalLanguageModelTransformer model, OutputFolder output)
    {
        if (Settings.Options.Adapters is not null)
        {
            model.SaveAdapters(output[AdapterFolder]);
            return [$"{AdapterFolder}/ (PEFT format)"];
        }
        model.SaveAsHuggingFace(output[ModelFolder]);
        return [$"{ModelFolder}/ (Hugging Face format)"];
    }
}
