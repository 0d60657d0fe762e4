using MLNetExtension;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>The settings that <c>train</c> and <c>finetune</c> share.</summary>
internal sealed class TrainingSettings
{
    /// <summary>The user's rows; null for the API documentation of the SDK, which only <c>train</c> offers.</summary>
    public string? DataFile { get; set; }

    /// <summary>The columns of <see cref="DataFile"/>.</summary>
    public RowColumns Columns { get; set; } = new();

    /// <summary>What is trained and how. The job sets the columns, which depend on the rows, and what connects the training to the job.</summary>
    public CausalLanguageModelTrainer.Options Options { get; init; } = new() { Seed = 1 };

    /// <summary>A model to learn from beside the rows; null for none.</summary>
    public TeacherSettings? Teacher { get; set; }

    /// <summary>Seed of the split, the weights, the order of rows and the samples.</summary>
    public int Seed => Options.Seed!.Value;

    /// <summary>Where to train.</summary>
    public DeviceChoice Device { get; set; }

    /// <summary>Maximum held-out rows to evaluate on.</summary>
    public int EvaluationRows { get; set; } = 400;

    /// <summary>The folder to write to.</summary>
    public required string OutputFolder { get; set; }
}
