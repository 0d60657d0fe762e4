using MLNetExtension;
using MLNetExtension.Training.Accumulation;
using Samples.Jobs;

namespace Samples.Commands;

/// <summary><c>train</c>, the main command: trains a small GPT from scratch.</summary>
internal static class TrainCommand
{
    private const double DefaultMinutes = 4;

    public static SettingsCommand<FromScratchRecipe> Create()
    {
        LanguageModel.Gpt2Network defaults = new FromScratchRecipe().Network;
        var command = new SettingsCommand<FromScratchRecipe>("train", "Trains a small GPT in an ML.NET pipeline, evaluates it before and after, saves it and shows samples of its text. Ctrl+C ends the training early and keeps the model so far; pressed again, it cancels.")
        {
            { OptionFactory.DataOrDocumentation(), (recipe, file) => recipe.Settings.DataFile = file },
            { OptionFactory.Epochs("no limit"), (recipe, epochs) => recipe.Settings.Options.MaximumEpochs = epochs },
            {
                OptionFactory.Minutes($"Maximum minutes of training. Default: {DefaultMinutes}, or no limit if --steps or --epochs is given; training ends at the first limit it reaches."),
                (recipe, minutes) => recipe.Settings.Options.MaximumDuration = minutes
            },
            {
                OptionFactory.Choice("--loss-normalization", LossNormalization.Token, "What the gradient of a batch is divided by; Token is exact."),
                (recipe, normalization) => recipe.Settings.Options.Loss = recipe.Settings.Options.Loss with { Normalization = normalization }
            },
            { OptionFactory.Integer("--layers", defaults.Layers, 1, "Number of transformer blocks."), (recipe, layers) => recipe.Network = recipe.Network with { Layers = layers } },
            { OptionFactory.Integer("--heads", defaults.Heads, 1, "Attention heads of a block; must divide the width."), (recipe, heads) => recipe.Network = recipe.Network with { Heads = heads } },
            { OptionFactory.Integer("--width", defaults.Width, 1, "Length of a hidden state."), (recipe, width) => recipe.Network = recipe.Network with { Width = width } },
            { OptionFactory.Dropout("Share of outputs that training zeroes at random. Default: 0."), (recipe, dropout) => recipe.Network = recipe.Network with { Dropout = dropout ?? 0 } },
        };
        TrainingOptions.Complete(command, "Folder for model.zip, metrics.json, the training report loss-curve.html and the TensorBoard event file.");
        command.Configure((recipe, _) => recipe.Settings.Options.MaximumDuration ??= recipe.Settings.Options is { MaximumSteps: null, MaximumEpochs: null } ? TimeSpan.FromMinutes(DefaultMinutes) : null);
        return command;
    }
}
