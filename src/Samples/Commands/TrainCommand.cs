using System.CommandLine;
using MLNetExtension.Training.Accumulation;
using Samples.Jobs;

namespace Samples.Commands;

/// <summary><c>train</c>, the main command: trains a small GPT from scratch.</summary>
internal static class TrainCommand
{
    private const double DefaultMinutes = 4;

    public static Command Create()
    {
        Option<string?> data = OptionFactory.DataOrDocumentation();
        Option<double?> minutes = OptionFactory.Minutes($"Maximum minutes of training. Default: {DefaultMinutes}, or no limit if --steps is given; training ends at the first limit it reaches.");
        Option<LossNormalization> normalization = OptionFactory.Choice("--loss-normalization", LossNormalization.Token, "What the gradient of a batch is divided by; Token is exact.");
        Option<int> layers = OptionFactory.Integer("--layers", 3, 1, "Number of transformer blocks.");
        Option<int> heads = OptionFactory.Integer("--heads", 4, 1, "Attention heads of a block; must divide the width.");
        Option<int> width = OptionFactory.Integer("--width", 128, 1, "Length of a hidden state.");
        Option<double> learningRate = OptionFactory.Number("--learning-rate", 3e-3, value => value > 0 && double.IsFinite(value), "above 0", "Learning rate after the warmup; it falls to a tenth.");
        var shared = new SharedTrainingOptions(
            OptionFactory.Integer("--context", 256, 2, "Maximum tokens of a row; longer rows are truncated."),
            OptionFactory.OutputFolder(Path.Combine("artifacts", "train"), "Folder for model.zip, metrics.json, loss-curve.html and the TensorBoard event file."));

        var command = new Command("train", "Trains a small GPT in an ML.NET pipeline, evaluates it before and after, saves it and shows samples of its text. Ctrl+C ends the training early and keeps the model so far; pressed again, it cancels.")
        {
            data, minutes, normalization, layers, heads, width, learningRate,
        };
        shared.AddTo(command);
        command.SetAction(parsed =>
        {
            TrainingSettings settings = shared.Read(parsed, parsed.GetValue(data), parsed.GetValue(learningRate)) with
            {
                Minutes = parsed.GetValue(minutes) ?? (shared.Steps(parsed) is null ? DefaultMinutes : null),
            };
            var recipe = new FromScratchRecipe(settings)
            {
                Layers = parsed.GetValue(layers),
                Heads = parsed.GetValue(heads),
                Width = parsed.GetValue(width),
                LossNormalization = parsed.GetValue(normalization),
            };
            return shared.Run(parsed, recipe, settings);
        });
        return command;
    }
}
