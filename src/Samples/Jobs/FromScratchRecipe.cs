using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Text;
using MLNetExtension;
using MLNetExtension.Training.Accumulation;
using Samples.Errors;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary><c>train</c>: a small GPT with random initial weights, trained in a pipeline after text normalization.</summary>
internal sealed record FromScratchRecipe(TrainingSettings Settings) : ITrainingRecipe
{
    private const string CurveFile = "loss-curve.html";

    /// <summary>Number of transformer blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>Attention heads of a block; divides <see cref="Width"/>.</summary>
    public required int Heads { get; init; }

    /// <summary>Length of a hidden state.</summary>
    public required int Width { get; init; }

    /// <summary>What the gradient of a batch is divided by.</summary>
    public LossNormalization LossNormalization { get; init; } = LossNormalization.Token;

    public object SettingsReport => Report;

    private SettingsReport Report => new(
        Layers, Heads, Width, Settings.Context, Settings.BatchSize, Settings.MicroBatchTokens, LossNormalization, Settings.LearningRate, Settings.Seed, Settings.Device.ToString());

    public bool MayWrite(string fileName) => fileName == CurveFile || fileName.StartsWith(TensorBoardEvents.FilePrefix, StringComparison.Ordinal);

    public RowSet ReadRows() => RowFile.ReadOrDocumentation(Settings.DataFile, Settings.Columns);

    public CausalLanguageModelTrainer.Options CreateOptions(RowKind kind)
    {
        CausalLanguageModelTrainer.Options options = Settings.CreateOptions(kind, warmupSteps: 50);
        options.Model = LanguageModel.Gpt2(Layers, Heads, Width, Settings.Context);
        options.Loss = new() { Normalization = LossNormalization };
        try
        {
            options.Validate();
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw UserErrorException.From(e);
        }
        return options;
    }

    /// <summary>Trains the pipeline of the README.</summary>
    public ITransformer Fit(MLContext mlContext, CausalLanguageModelTrainer.Options options, IDataView rows, RowKind kind)
    {
        CausalLanguageModelTrainer trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);
        IEstimator<TransformerChain<CausalLanguageModelTransformer>> pipeline = kind == RowKind.Prompts
            ? Normalize(nameof(PromptRow.Prompt)).Append(Normalize(nameof(PromptRow.Completion))).Append(trainer)
            : Normalize(nameof(TextRow.Text)).Append(trainer);
        return pipeline.Fit(rows);

        TextNormalizingEstimator Normalize(string column) => mlContext.Transforms.Text.NormalizeText(
            column, caseMode: TextNormalizingEstimator.CaseMode.None, keepDiacritics: true, keepPunctuations: true, keepNumbers: true);
    }

    public IReadOnlyList<string> ExportModel(CausalLanguageModelTransformer model, OutputFolder output) => [];

    public IReadOnlyList<string> WriteReports(TrainReport report, TrainingCurve curve, OutputFolder output)
    {
        File.WriteAllText(output[CurveFile], LossCurvePage.Render(report, Report, curve.Points));
        TensorBoardEvents.Write(output.Path, curve.Points, curve.Started, report.Before, report.After);
        return [CurveFile, "a TensorBoard event file"];
    }
}
