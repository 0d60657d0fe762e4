using System.CommandLine;
using MLNetExtension;
using MLNetExtension.Data;
using MLNetExtension.Training;
using Samples.Jobs;
using Samples.Text;

namespace Samples.Commands;

/// <summary>The options of <c>train</c> and <c>finetune</c> about batches, the order of rows, evaluations during training and checkpoints.</summary>
internal static class ControlOptions
{
    /// <summary>Adds the options about what a batch holds and in which order rows come.</summary>
    /// <returns>Adds the column of the order to the columns of a file.</returns>
    public static Func<ParseResult, RowColumns, RowColumns> AddBatches<T>(SettingsCommand<T> command, int batchSize) where T : ITrainingRecipe, new()
    {
        Option<int> rows = OptionFactory.Integer("--batch-size", batchSize, 1, "Rows of an optimizer step.");
        Option<int?> tokens = OptionFactory.OptionalInteger("--batch-tokens", 1, "Target tokens of an optimizer step, in the mean of an epoch, in place of a number of rows.");
        Option<string?> orderBy = new("--order-by") { Description = "Column of numbers by which rows are visited in ascending order, a curriculum. Default: shuffled.", HelpName = "NAME" };
        Option<int?> orderEpochs = OptionFactory.OptionalInteger("--order-epochs", 1, "How many epochs, from the first, are in the order of --order-by; later ones are shuffled. Default: all.");
        command.Add(rows, (recipe, count) => recipe.Settings.Options.BatchSize = count);
        command.Add(tokens, (recipe, count) => recipe.Settings.Options.BatchTargetTokens = count);
        command.Add(
            OptionFactory.Number("--prompt-weight", 0, "Weight of the prompts' tokens in the loss, where rows have prompts; 0 trains on completions alone.", value => value is >= 0 and <= 1, "from 0 to 1"),
            (recipe, weight) => recipe.Settings.Options.Loss = recipe.Settings.Options.Loss with { PromptWeight = weight });
        command.Add(orderBy);
        command.Add(orderEpochs);
        command.Validators.Add(result =>
        {
            if (result.GetResult(tokens) is not null && result.GetResult(rows) is { Implicit: false })
                result.AddError("--batch-tokens cannot be combined with --batch-size.");
            if (result.GetResult(orderEpochs) is not null && result.GetResult(orderBy) is null)
                result.AddError("--order-epochs needs --order-by.");
        });
        command.Configure((recipe, parsed) =>
        {
            if (parsed.GetValue(orderBy) is not null)
                recipe.Settings.Options.RowOrder = RowOrder.Ascending(RowDataView.Order, parsed.GetValue(orderEpochs));
        });
        return (parsed, columns) => columns with { Order = parsed.GetValue(orderBy) };
    }

    /// <summary>Adds the options about evaluations during training.</summary>
    public static void AddValidation<T>(SettingsCommand<T> command) where T : ITrainingRecipe, new()
    {
        Option<double?> fraction = OptionFactory.OptionalNumber(
            "--validation-fraction", "Share of the training rows on which the loss is measured during training; the weights with the lowest loss are kept. Default: 0, none.", value => value is >= 0 and < 1, "from 0 to below 1");
        Option<TrainingInterval> interval = OptionFactory.Interval("--validation-interval", new ValidationOptions().Interval, "How often the loss on those rows is measured.");
        Option<int?> patience = OptionFactory.OptionalInteger("--patience", 1, "Stop after this many evaluations in a row without a lower validation loss; needs --validation-fraction.");
        command.Add(fraction);
        command.Add(interval);
        command.Add(patience);
        command.Validators.Add(result =>
        {
            if (result.GetResult(patience) is not null && result.GetResult(fraction) is null)
                result.AddError("--patience needs --validation-fraction.");
        });
        command.Configure((recipe, parsed) =>
        {
            if (parsed.GetValue(fraction) is > 0 and { } share)
                recipe.Settings.Options.Validation = new() { Fraction = share, Interval = parsed.GetValue(interval), Patience = parsed.GetValue(patience) };
        });
    }

    /// <summary>Adds the options about checkpoints.</summary>
    public static void AddCheckpoints<T>(SettingsCommand<T> command) where T : ITrainingRecipe, new()
    {
        CheckpointOptions defaults = new() { Folder = "" };
        Option<string?> checkpoint = new("--checkpoint")
        {
            Description = "Folder for checkpoints: the same command with the same folder resumes a training that was stopped or killed, and with more steps or epochs extends one that ended. Delete it to start anew. Default: none.",
            HelpName = "DIR",
        };
        Option<TrainingInterval> interval = OptionFactory.Interval("--checkpoint-interval", defaults.Interval, "How often a checkpoint is written.");
        Option<int> kept = OptionFactory.Integer("--checkpoints-kept", defaults.Kept, 1, "How many checkpoints are kept, the newest ones.");
        Option<bool> restart = new("--restart-if-damaged") { Description = "Start from the beginning where there are checkpoints, but none is whole." };
        command.Add(checkpoint);
        command.Add(interval);
        command.Add(kept);
        command.Add(restart);
        command.Configure((recipe, parsed) =>
        {
            if (parsed.GetValue(checkpoint) is { } folder)
                recipe.Settings.Options.Checkpoints = new() { Folder = folder, Interval = parsed.GetValue(interval), Kept = parsed.GetValue(kept), RestartIfDamaged = parsed.GetValue(restart) };
        });
    }
}
