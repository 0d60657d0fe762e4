using System.Globalization;
using MLNetExtension.Models;
using TorchSharp;

namespace MLNetExtension.Training;

/// <summary>What options of a training ask of the model and its device.</summary>
internal static class StepRequirements
{
    /// <summary>Checks them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">How it is trained.</param>
    /// <exception cref="ArgumentOutOfRangeException">Several workers are asked for, and the device or the model allows one.</exception>
    /// <exception cref="NotSupportedException">Noise on embedded tokens is asked for, and the model embeds them itself.</exception>
    public static void Check(CausalLanguageModel model, TrainingOptions options)
    {
        RequireWorkers(options.Batching.Workers, model);
        RequireEmbedding(options.Regularization.EmbeddingNoise, model);
    }

    private static void RequireEmbedding(double noise, CausalLanguageModel model)
    {
        if (noise == 0 || model.HeadWeight is not null)
            return;
        string name = $"{nameof(TrainingOptions.Regularization)}.{nameof(RegularizationOptions.EmbeddingNoise)}";
        throw new NotSupportedException(string.Create(CultureInfo.InvariantCulture,
            $"{name} is {noise}, but {(model.Custom is { } custom ? $"the custom model '{custom.Factory.Name}'" : model.GetType().Name)} is a module from token ids to logits, whose embedding is its own; expected a model with parts ({nameof(CausalLanguageModel)})."));
    }

    private static void RequireWorkers(int? workers, CausalLanguageModel model)
    {
        bool onCpu = model.Device.type == DeviceType.CPU;
        if (!(workers > 1) || (onCpu && model.CanReplicate))
            return;
        string reason = onCpu ? $"for a {model.GetType().Name}, which cannot be replicated" : $"on {model.Device}: workers are threads of the CPU";
        const string Name = $"{nameof(TrainingOptions.Batching)}.{nameof(BatchingOptions.Workers)}";
        throw new ArgumentOutOfRangeException(Name, workers, string.Create(CultureInfo.InvariantCulture, $"{Name} is {workers}, but must be 1 {reason}."));
    }
}
