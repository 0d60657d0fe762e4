using System.CommandLine;
using Samples.Jobs;
using Samples.Text;

namespace Samples.Commands;

/// <summary><c>prefer</c>: trains a saved model on pairs.</summary>
internal static class PreferCommand
{
    public static SettingsCommand<PreferSettings> Create()
    {
        PreferSettings defaults = new();
        Option<PreferenceChoice> method = OptionFactory.Choice("--method", defaults.Choice, "What is minimized.");
        Option<double> likelihood = OptionFactory.Number("--likelihood-weight", defaults.LikelihoodWeight, "For DPO: weight of the chosen completions' likelihood, which keeps the model from unlearning them.");
        var command = new SettingsCommand<PreferSettings>("prefer", "Trains the model that train saved to write short summaries, by pairs of the first sentence of a summary and the whole of it, and shows how long its summaries are before and after. Ctrl+C ends the training early.")
        {
            { OptionFactory.Model(), (settings, file) => settings.ModelFile = file },
            { OptionFactory.DataOrDocumentation(), (settings, file) => settings.DataFile = file },
            { method, (settings, choice) => settings.Choice = choice },
            { OptionFactory.OptionalNumber("--beta", "The method's coefficient: beta of DPO, SimPO and KTO, tau of IPO, lambda of ORPO. Default: 0.1, of SimPO 2."), (settings, beta) => settings.Beta = beta },
            { likelihood, (settings, weight) => settings.LikelihoodWeight = weight },
            { OptionFactory.Integer("--steps", defaults.Steps, 1, "Optimizer steps."), (settings, steps) => settings.Steps = steps },
            { OptionFactory.Integer("--batch-size", defaults.BatchSize, 1, "Pairs of an optimizer step."), (settings, pairs) => settings.BatchSize = pairs },
            { OptionFactory.Number("--learning-rate", defaults.LearningRate, "Learning rate after the warm-up.", value => value > 0 && double.IsFinite(value), "above 0"), (settings, rate) => settings.LearningRate = rate },
            { OptionFactory.Integer("--evaluation-pairs", defaults.EvaluationPairs, 1, "Maximum number of held-out pairs to measure and to write texts for."), (settings, pairs) => settings.EvaluationPairs = pairs },
            { OptionFactory.Device(), (settings, device) => settings.Device = device },
            { OptionFactory.Seed("the split, which is that of train with the same seed, and of the order of pairs"), (settings, seed) => settings.Seed = seed },
            { OptionFactory.OutputFolder(defaults.OutputFolder, "Folder for model.zip, metrics.json and the TensorBoard event file."), (settings, folder) => settings.OutputFolder = folder },
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(likelihood) is { Implicit: false } && result.GetValue(method) != PreferenceChoice.Dpo)
                result.AddError("--likelihood-weight needs --method dpo.");
        });
        Func<ParseResult, RowColumns> columns = ColumnOptions.AddTo(command);
        command.Configure((settings, parsed) => settings.Columns = columns(parsed));
        command.SetReportingAction(parsed =>
        {
            using var signals = new EndSignals(canStop: true);
            return new PreferJob(command.Read(parsed), ConsoleFactory.Create(parsed), signals.CancellationToken, signals.StopToken).Run();
        });
        return command;
    }
}
