using Microsoft.ML;
using MLNetExtension;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>The parts of a training job in which <c>train</c> and <c>finetune</c> differ.</summary>
internal interface ITrainingRecipe
{
    /// <summary>The settings that both have.</summary>
    TrainingSettings Settings { get; }

    /// <summary>The settings as they are reported.</summary>
    /// <param name="options">The options that the model was trained with, defaults filled in.</param>
    object DescribeSettings(CausalLanguageModelTrainer.Options options);

    /// <summary>Reads the rows to split.</summary>
    /// <exception cref="Errors.UserErrorException">The settings or the rows cannot be used.</exception>
    RowSet ReadRows();

    /// <summary>The pipeline that is trained; it ends with the trainer.</summary>
    IEstimator<ITransformer> CreatePipeline(MLContext mlContext, CausalLanguageModelTrainer.Options options, RowKind kind);

    /// <summary>Does to rows what the pipeline does to them before they reach the trainer.</summary>
    IDataView Prepare(MLContext mlContext, IDataView rows, RowKind kind);

    /// <summary>Whether <see cref="WriteFiles"/> may write a file or folder of this name.</summary>
    bool MayWrite(string fileName);

    /// <summary>Writes the trained model in further formats, beside model.zip and the reports.</summary>
    /// <returns>What was written, for the user.</returns>
    IReadOnlyList<string> WriteFiles(CausalLanguageModelTransformer model, OutputFolder output);
}
