using System.CommandLine;
using MLNetExtension.Training;
using MLNetExtension.Training.Averaging;
using Samples.Jobs;

namespace Samples.Commands;

/// <summary>The options of <c>train</c> and <c>finetune</c> for noise in training and averages of the weights.</summary>
internal static class RegularizationCommandOptions
{
    /// <summary>Adds the options.</summary>
    public static void AddTo<T>(SettingsCommand<T> command) where T : ITrainingRecipe, new()
    {
        Option<double?> ema = OptionFactory.OptionalNumber(
            "--ema", "Give the model the exponential moving average of its weights, with this decay; 0.999 is usual. Default: the last weights.", value => value is >= 0 and < 1, "from 0 to below 1");
        Option<double?> swa = OptionFactory.OptionalNumber(
            "--swa", "Give the model the mean of the weights of all steps in this last share of the training; 0.25 is usual. Default: the last weights.", value => value is > 0 and <= 1, "above 0 and at most 1");
        command.Add(
            OptionFactory.OptionalNumber("--neftune", "Add noise of this size over sqrt(tokens x width) to a row's embedded tokens in training (NEFTune); 5 is usual. Default: none."),
            (recipe, alpha) => Change(recipe, options => options with { EmbeddingNoise = alpha ?? 0 }));
        command.Add(ema, (recipe, decay) => Change(recipe, options => decay is { } given ? options with { Averaging = WeightAveraging.Exponential(given) } : options));
        command.Add(swa, (recipe, share) => Change(recipe, options => share is { } given ? options with { Averaging = WeightAveraging.Uniform(given) } : options));
        command.Validators.Add(result =>
        {
            if (result.GetResult(ema) is not null && result.GetResult(swa) is not null)
                result.AddError("--ema and --swa are two averages of the weights; give one of them.");
        });
    }

    private static void Change<T>(T recipe, Func<RegularizationOptions, RegularizationOptions> change) where T : ITrainingRecipe =>
        recipe.Settings.Options.Regularization = change(recipe.Settings.Options.Regularization);
}
