using Microsoft.ML;
using MLNetExtension;
using MLNetExtension.Losses;
using Samples.Errors;

namespace Samples.Jobs;

/// <summary>The teacher of a training.</summary>
/// <param name="Place">The folder of a published model, or the file of one that train or finetune saved.</param>
/// <param name="Divergence">How far the student is from it.</param>
/// <param name="Share">The weight of its part of the loss.</param>
/// <param name="Temperature">What logits are divided by in that part.</param>
internal sealed record TeacherSettings(string Place, Divergence Divergence, double Share, double Temperature)
{
    /// <summary>Loads the teacher where it is a saved model; null for a published one, which the training reads itself.</summary>
    /// <exception cref="UserErrorException">There is no model, or none that can be loaded.</exception>
    public TrainedModel? Load(MLContext mlContext) => Directory.Exists(Place) ? null
        : File.Exists(Place) ? TrainedModel.Load(mlContext, Place)
        : throw new UserErrorException($"--teacher {Place} does not exist; it must be a folder with a published model, or a model that train or finetune saved.");

    /// <summary>The options of the training.</summary>
    /// <param name="loaded">What <see cref="Load"/> gave.</param>
    public DistillationOptions ToOptions(TrainedModel? loaded) => new()
    {
        Teacher = loaded is null ? TeacherModel.Pretrained(Place) : TeacherModel.Trained(loaded.LanguageModel), Divergence = Divergence, Share = Share, Temperature = Temperature,
    };
}
