using System.CommandLine;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training;
using Samples.Jobs;

namespace Samples.Commands;

/// <summary><c>finetune</c>: trains a published model further.</summary>
internal static class FinetuneCommand
{
    public static SettingsCommand<FinetuneRecipe> Create()
    {
        Option<int?> rank = OptionFactory.OptionalInteger("--rank", 1, "Train low-rank adapters (LoRA) of this rank instead of the weights. Default: train all weights.");
        Option<double?> alpha = OptionFactory.OptionalNumber("--alpha", "Scale of the adapters, divided by their rank. Default: the rank.");
        Option<string?> target = new("--target") { Description = "Layers that get an adapter, separated by commas, such as q_proj,v_proj. Default: all linear layers of the blocks.", HelpName = "NAME,NAME,..." };
        Option<bool> dora = new("--dora") { Description = "Train the norms of the adapted weights by themselves (DoRA)." };
        Option<bool> rankStabilized = new("--rslora") { Description = "Divide the adapters by the square root of their rank instead of the rank (rsLoRA)." };
        Option<LoraInitialization> initialization = OptionFactory.Choice("--adapter-init", LoraInitialization.Kaiming, "What the adapters start from; Pissa: the largest singular values of the weights.");
        Option<BasePrecision> basePrecision = OptionFactory.Choice(
            "--base-precision", BasePrecision.Computation, "What the frozen weights under the adapters are stored in; BFloat16 and Int8 take less memory, and Computation is what the model computes in.");
        Option<string?> trainModules = new("--train-modules")
        {
            Description = "Modules that are trained whole beside the adapters, separated by commas, such as embed_tokens,lm_head. Default: none.",
            HelpName = "NAME,NAME,...",
        };
        var command = new SettingsCommand<FinetuneRecipe>("finetune", "Fine-tunes a published model on your own rows, all weights or low-rank adapters, and saves it for ML.NET and in Hugging Face's format. Ctrl+C ends the training early and keeps the model so far; pressed again, it cancels.")
        {
            {
                new Option<string>("--base") { Description = "Folder of a published model: config.json, *.safetensors and tokenizer files.", HelpName = "DIR", Required = true },
                (recipe, folder) => recipe.Base = recipe.Base with { Folder = folder }
            },
            { OptionFactory.Data("Texts, prompts with completions, or chats to train on"), (recipe, file) => recipe.Settings.DataFile = file },
            { OptionFactory.Dropout("Share that training zeroes at random, in place of what config.json says. Default: what it says."), (recipe, dropout) => recipe.Base = recipe.Base with { Dropout = dropout } },
            rank,
            alpha,
            target,
            dora,
            rankStabilized,
            initialization,
            basePrecision,
            trainModules,
            { OptionFactory.Epochs("1, or no limit if --steps or --minutes is given"), (recipe, epochs) => recipe.Settings.Options.MaximumEpochs = epochs },
            { OptionFactory.Minutes("Maximum minutes of training; training ends at the first limit it reaches."), (recipe, minutes) => recipe.Settings.Options.MaximumDuration = minutes },
            {
                OptionFactory.Choice("--precision", ComputePrecision.Float32, "Floating-point type that the model computes in; trained weights and sums stay float32."),
                (recipe, precision) => recipe.Settings.Options.Batching = recipe.Settings.Options.Batching with { Precision = precision }
            },
        };
        TrainingOptions.Complete(
            command,
            "Folder for model.zip, metrics.json, the training report loss-curve.html, the TensorBoard event file and model/ (Hugging Face format) or, with --rank, adapters/ (PEFT format).",
            chats: true);
        Option[] ofAdapters = [alpha, target, dora, rankStabilized, initialization, basePrecision, trainModules];
        command.Validators.Add(result =>
        {
            string[] given = [.. ofAdapters.Where(option => result.GetResult(option) is { Implicit: false }).Select(option => option.Name)];
            if (result.GetResult(rank) is null && given.Length > 0)
                result.AddError($"{string.Join(", ", given)}: for low-rank adapters; add --rank.");
        });
        command.Configure((recipe, parsed) => recipe.Settings.Options.Adapters = parsed.GetValue(rank) is { } r
            ? new LoraOptions
            {
                Rank = r,
                Alpha = parsed.GetValue(alpha) ?? r,
                TargetModules = SplitNames(parsed.GetValue(target)) ?? ["*"],
                UseDora = parsed.GetValue(dora),
                RankStabilized = parsed.GetValue(rankStabilized),
                Initialization = parsed.GetValue(initialization),
                BasePrecision = parsed.GetValue(basePrecision),
                TrainedModules = SplitNames(parsed.GetValue(trainModules)) ?? [],
            }
            : null);
        return command;
    }

    private static string[]? SplitNames(string? names) => names?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
