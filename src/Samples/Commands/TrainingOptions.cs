using System.CommandLine;
using MLNetExtension;
using MLNetExtension.Data;
using MLNetExtension.Training.Optimization;
using Samples.Jobs;
using Samples.Text;

namespace Samples.Commands;

/// <summary>The options that <c>train</c> and <c>finetune</c> share, and how both run a training job.</summary>
internal static class TrainingOptions
{
    /// <summary>Adds the options behind a command's own, and runs the job that signals stop or cancel.</summary>
    public static void Complete<T>(SettingsCommand<T> command, string output, bool chats = false) where T : ITrainingRecipe, new()
    {
        TrainingSettings settings = new T().Settings;
        CausalLanguageModelTrainer.Options defaults = settings.Options;
        bool isNew = defaults.Model is LanguageModel.Gpt2Network;
        command.Add(OptionFactory.OptionalInteger("--steps", 1, "Maximum number of optimizer steps."), (recipe, steps) => recipe.Settings.Options.MaximumSteps = steps);
        Func<ParseResult, RowColumns, RowColumns> withOrder = ControlOptions.AddBatches(command, defaults.BatchSize);
        command.Add(
            OptionFactory.OptionalInteger("--micro-batch-tokens", 1, "Maximum tokens of a micro-batch, padding included; the result does not depend on it. Default: the fastest size, found in the first steps."),
            (recipe, tokens) => recipe.Settings.Options.Batching = recipe.Settings.Options.Batching with { MaximumTokensPerMicroBatch = tokens });
        command.Add(
            OptionFactory.Integer("--context", defaults.Model.ContextLength, 2, $"Maximum tokens of a row{(isNew ? "" : ", at most the model's own limit")}."),
            (recipe, tokens) => recipe.Settings.Options.Model = recipe.Settings.Options.Model with { ContextLength = tokens });
        command.Add(
            OptionFactory.OptionalChoice<LongRows>("--long-rows", "What becomes of rows that are longer than the context. Default: texts are split, so that every token is trained on; prompts with completions and chats are truncated."),
            (recipe, longRows) => recipe.Settings.Options.LongRows = longRows);
        command.Add(
            OptionFactory.OptionalChoice<OptimizerChoice>("--optimizer", $"What updates the weights. Default: {(isNew ? "Muon" : "AdamW")}."),
            (recipe, optimizer) => recipe.Settings.Options.Optimizer = optimizer?.CreateOptions() ?? recipe.Settings.Options.Optimizer);
        command.Add(
            OptionFactory.OptionalChoice<WeightDecayRule>("--decay-rule", "Which parameters weight decay acts on. Default: LinearWeights, no embeddings, norms and biases."),
            (recipe, rule) => recipe.Settings.Options.Optimizer = recipe.Settings.Options.Optimizer with { DecayRule = rule ?? recipe.Settings.Options.Optimizer.DecayRule });
        command.Add(
            OptionFactory.OptionalChoice<ScheduleShape>("--schedule", "Course of the learning rate after the warm-up. Default: Cosine."),
            (recipe, shape) => recipe.Settings.Options.Schedule = recipe.Settings.Options.Schedule with { Shape = shape ?? recipe.Settings.Options.Schedule.Shape });
        command.Add(
            OptionFactory.OptionalNumber("--learning-rate", $"Learning rate after the warm-up; it falls to a tenth. Default: {(isNew ? "3e-3, less for a width above 128" : "5e-5, with --rank 2e-4")}, for AdamW and Muon; others have their own."),
            (recipe, rate) => recipe.Settings.Options.LearningRate = rate);
        command.Add(
            OptionFactory.OptionalNumber("--weight-decay", $"Decoupled weight decay. Default: {(isNew ? "0.1" : "0.01, with --rank 0")}.", value => value >= 0 && double.IsFinite(value), "at least 0"),
            (recipe, decay) => recipe.Settings.Options.Optimizer = recipe.Settings.Options.Optimizer with { WeightDecay = decay ?? recipe.Settings.Options.Optimizer.WeightDecay });
        LossArguments.AddTo(command);
        RegularizationCommandOptions.AddTo(command);
        ControlOptions.AddValidation(command);
        ControlOptions.AddCheckpoints(command);
        command.Add(OptionFactory.Ranks("train together; the result is the same for any number of them"), (recipe, ranks) => recipe.Settings.Options.Ranks = ranks);
        command.Add(OptionFactory.Device(), (recipe, device) => recipe.Settings.Device = device);
        command.Add(OptionFactory.Seed("the split, the weights, the order of rows and the samples"), (recipe, seed) => recipe.Settings.Options.Seed = seed);
        command.Add(OptionFactory.Integer("--evaluation-rows", settings.EvaluationRows, 1, "Maximum number of held-out rows to evaluate on."), (recipe, rows) => recipe.Settings.EvaluationRows = rows);
        command.Add(OptionFactory.OutputFolder(settings.OutputFolder, output), (recipe, folder) => recipe.Settings.OutputFolder = folder);
        Func<ParseResult, RowColumns> columns = ColumnOptions.AddTo(command, chats);
        command.Configure((recipe, parsed) => recipe.Settings.Columns = withOrder(parsed, columns(parsed)));
        command.SetReportingAction(parsed =>
        {
            using var signals = new EndSignals(canStop: true);
            T recipe = command.Read(parsed);
            return new TrainingJob(recipe, ConsoleFactory.Create(parsed, recipe.Settings.Options.Ranks), signals.CancellationToken, signals.StopToken).Run();
        });
    }
}
