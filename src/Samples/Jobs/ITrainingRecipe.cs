using Microsoft.ML;
using MLNetExtension;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>The parts of a training job in which <c>train</c> and <c>finetune</c> differ.</summary>
internal interface ITrainingRecipe
{
    /// <summary>The settings as they are reported.</summary>
    object SettingsReport { get; }

    /// <summary>Whether the recipe may write a file or folder of this name besides the model and its metrics.</summary>
    bool MayWrite(string fileName);

    /// <summary>Reads the rows to split.</summary>
    /// <exception cref="Errors.UserErrorException">The settings or the rows cannot be used.</exception>
    RowSet ReadRows();

    /// <summary>The trainer's options.</summary>
    /// <exception cref="Errors.UserErrorException">Two settings do not go together.</exception>
    CausalLanguageModelTrainer.Options CreateOptions(RowKind kind);

    /// <summary>Trains a pipeline that ends with the trainer.</summary>
    /// <exception cref="Errors.UserErrorException">The model or the rows cannot be used.</exception>
    ITransformer Fit(MLContext mlContext, CausalLanguageModelTrainer.Options options, IDataView rows, RowKind kind);

    /// <summary>Writes the trained model in further formats, after it was saved as model.zip.</summary>
    /// <returns>What was written, for the user.</returns>
    IReadOnlyList<string> ExportModel(CausalLanguageModelTransformer model, OutputFolder output);

    /// <summary>Writes further reports.</summary>
    /// <returns>What was written, for the user.</returns>
    IReadOnlyList<string> WriteReports(TrainReport report, TrainingCurve curve, OutputFolder output);
}
