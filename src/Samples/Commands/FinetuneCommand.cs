using System.CommandLine;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training;
using Samples.Jobs;

namespace Samples.Commands;

/// <summary><c>finetune</c>: trains a published model further.</summary>
internal static class FinetuneCommand
{
    private const double AllWeightsRate = 5e-5, AdapterRate = 2e-4;

    public static Command Create()
    {
        Option<string> published = new("--base") { Description = "Folder of a published model: config.json, *.safetensors and tokenizer files.", HelpName = "DIR", Required = true };
        Option<string> data = OptionFactory.Data("Texts, prompts with completions, or chats to train on");
        Option<int?> rank = OptionFactory.OptionalInteger("--rank", 1, "Train low-rank adapters (LoRA) of this rank instead of the weights. Default: train all weights.");
        Option<double?> alpha = OptionFactory.OptionalNumber("--alpha", value => value > 0 && double.IsFinite(value), "above 0", "Scale of the adapters, divided by their rank. Default: the rank.");
        Option<string?> target = new("--target") { Description = "Layers that get an adapter, separated by commas, such as q_proj,v_proj. Default: all linear layers of the blocks.", HelpName = "NAME,NAME,..." };
        Option<int?> epochs = OptionFactory.OptionalInteger("--epochs", 1, "Maximum passes over the rows. Default: 1, or no limit if --steps or --minutes is given.");
        Option<double?> minutes = OptionFactory.Minutes("Maximum minutes of training; training ends at the first limit it reaches.");
        Option<ComputePrecision> precision = OptionFactory.Choice("--precision", ComputePrecision.Float32, "Floating-point type that the model computes in; trained weights and sums stay float32.");
        Option<double?> learningRate = OptionFactory.OptionalNumber("--learning-rate", value => value > 0 && double.IsFinite(value), "above 0", "Learning rate after the warmup; it falls to a tenth. Default: 5e-5, with --rank 2e-4.");
        var shared = new SharedTrainingOptions(
            OptionFactory.Integer("--context", 512, 2, "Maximum tokens of a row, at most the model's own limit; longer rows are truncated."),
            OptionFactory.OutputFolder(Path.Combine("artifacts", "finetune"), "Folder for model.zip, metrics.json and model/ (Hugging Face format) or, with --rank, adapters/ (PEFT format)."));

        var command = new Command("finetune", "Fine-tunes a published model on your own rows, all weights or low-rank adapters, and saves it for ML.NET and in Hugging Face's format. Ctrl+C ends the training early and keeps the model so far; pressed again, it cancels.")
        {
            published, data, rank, alpha, target, epochs, minutes, precision, learningRate,
        };
        shared.AddTo(command, chats: true);
        command.Validators.Add(result =>
        {
            if (result.GetResult(rank) is null && (result.GetResult(alpha) is not null || result.GetResult(target) is not null))
                result.AddError("--alpha and --target are for low-rank adapters; add --rank.");
        });
        command.SetAction(parsed =>
        {
            LoraOptions? lora = parsed.GetValue(rank) is { } r
                ? new LoraOptions { Rank = r, Alpha = parsed.GetValue(alpha) ?? r, TargetModules = SplitNames(parsed.GetValue(target)) ?? ["*"] }
                : null;
            bool hasOtherLimit = shared.Steps(parsed) is not null || parsed.GetValue(minutes) is not null;
            double rate = parsed.GetValue(learningRate) ?? (lora is null ? AllWeightsRate : AdapterRate);
            TrainingSettings settings = shared.Read(parsed, parsed.GetRequiredValue(data), rate) with
            {
                Minutes = parsed.GetValue(minutes),
                Epochs = parsed.GetValue(epochs) ?? (hasOtherLimit ? null : 1),
            };
            var recipe = new FinetuneRecipe(settings) { BaseFolder = parsed.GetRequiredValue(published), Lora = lora, Precision = parsed.GetValue(precision) };
            return shared.Run(parsed, recipe, settings);
        });
        return command;
    }

    private static string[]? SplitNames(string? names) => names?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
