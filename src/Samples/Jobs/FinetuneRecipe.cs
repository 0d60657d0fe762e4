using Microsoft.ML;
using MLNetExtension;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training;
using Samples.Errors;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary><c>finetune</c>: a published model, of which all weights or LoRA adapters are trained, and which is also exported in Hugging Face's formats.</summary>
internal sealed record FinetuneRecipe(TrainingSettings Settings) : ITrainingRecipe
{
    private const string ModelFolder = "model", AdapterFolder = "adapters";

    /// <summary>Folder of the published model.</summary>
    public required string BaseFolder { get; init; }

    /// <summary>The adapters; null if all weights are trained.</summary>
    public LoraOptions? Lora { get; init; }

    /// <summary>The floating-point type that the model computes in.</summary>
    public ComputePrecision Precision { get; init; } = ComputePrecision.Float32;

    public object SettingsReport => new FinetuneSettingsReport(
        BaseFolder, Lora?.Rank, Lora?.Alpha, Lora?.TargetModules, Settings.Context, Settings.BatchSize, Settings.MicroBatchTokens, Precision.ToString(), Settings.LearningRate, Settings.Seed, Settings.Device.ToString());

    public bool MayWrite(string fileName) => fileName is ModelFolder or AdapterFolder;

    public RowSet ReadRows()
    {
        string output = Path.GetFullPath(Settings.OutputFolder), published = Path.GetFullPath(BaseFolder);
        if (!Directory.Exists(published))
            throw new UserErrorException($"--base {BaseFolder} is not a folder; it must be one with a published model: config.json, *.safetensors and tokenizer files.");
        if ((published + Path.DirectorySeparatorChar).StartsWith(output + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw new UserErrorException($"--output {Settings.OutputFolder} would replace --base {BaseFolder}; choose another folder.");
        return RowFile.Read(Settings.DataFile!, Settings.Columns);
    }

    public CausalLanguageModelTrainer.Options CreateOptions(RowKind kind)
    {
        CausalLanguageModelTrainer.Options options = Settings.CreateOptions(kind, warmupSteps: 20);
        (options.Model, options.Adapters) = (LanguageModel.Pretrained(BaseFolder, Settings.Context), Lora);
        options.Batching = options.Batching with { Precision = Precision };
        options.Optimizer = new() { WeightDecay = 0.01 };
        return options;
    }

    public ITransformer Fit(MLContext mlContext, CausalLanguageModelTrainer.Options options, IDataView rows, RowKind kind)
    {
        try
        {
            return mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(rows);
        }
        // What the user can fix: a folder without a model, an unknown architecture or target module, rows without target tokens.
        catch (Exception e) when (e is IOException or InvalidDataException or NotSupportedException or ArgumentException or InvalidOperationException && TorchSetup.Explain(e) is null)
        {
            throw UserErrorException.From(e);
        }
    }

    public IReadOnlyList<string> ExportModel(CausalLanguageModelTransformer model, OutputFolder output)
    {
        if (Lora is null)
        {
            model.SaveAsHuggingFace(output[ModelFolder]);
            return [$"{ModelFolder}/ (Hugging Face format)"];
        }
        model.SaveAdapters(output[AdapterFolder]);
        return [$"{AdapterFolder}/ (PEFT format)"];
    }

    public IReadOnlyList<string> WriteReports(TrainReport report, TrainingCurve curve, OutputFolder output) => [];
}
