using System.CommandLine;
using Samples.Comparison;
using Samples.Reporting;

namespace Samples.Commands;

/// <summary><c>compare-accumulation</c>: the effect of splitting a batch on its gradient.</summary>
internal static class CompareAccumulationCommand
{
    public static Command Create()
    {
        var defaults = new ComparisonSettings();
        Option<string?> data = OptionFactory.DataOrDocumentation();
        var columns = new ColumnOptions();
        Option<IReadOnlyList<BatchSplit>?> splits = Splits(defaults.Splits);
        Option<BatchOrder> order = OptionFactory.Choice("--order", defaults.Order, "Order of the rows of a batch: shuffled, or longest first.");
        Option<int> steps = OptionFactory.Integer("--steps", defaults.Steps, 1, "Optimizer steps of each run.");
        Option<ComparisonPrecision> precision = OptionFactory.Choice("--precision", defaults.Precision, "Floating-point type of the computation; Float64 tells exact from nearly exact.");
        Option<double> learningRate = OptionFactory.Number("--learning-rate", defaults.LearningRate, value => value > 0 && double.IsFinite(value), "above 0", "Learning rate of every step.");
        Option<int> layers = OptionFactory.Integer("--layers", defaults.Layers, 1, "Number of transformer blocks.");
        Option<int> heads = OptionFactory.Integer("--heads", defaults.Heads, 1, "Attention heads of a block; must divide the width.");
        Option<int> width = OptionFactory.Integer("--width", defaults.Width, 1, "Length of a hidden state.");
        Option<int> context = OptionFactory.Integer("--context", defaults.Context, 2, "Maximum tokens of a row; longer rows are truncated.");
        Option<int> seed = OptionFactory.Integer("--seed", defaults.Seed, 0, "Seed of the weights and of the order of rows.");
        Option<string> output = OptionFactory.OutputFolder(defaults.OutputFolder, "Folder for accumulation.html.");
        Option<string?> json = OptionFactory.JsonFile();

        var command = new Command("compare-accumulation", "Trains one model with every loss normalization and several splits of a batch into micro-batches, and shows how far each strays from the full batch.")
        {
            data, splits, order, steps, precision, learningRate, layers, heads, width, context, seed, output, json,
        };
        columns.AddTo(command);
        command.SetAction(parsed =>
        {
            var settings = new ComparisonSettings
            {
                DataFile = parsed.GetValue(data),
                Columns = columns.Read(parsed),
                Layers = parsed.GetValue(layers),
                Heads = parsed.GetValue(heads),
                Width = parsed.GetValue(width),
                Context = parsed.GetValue(context),
                OutputFolder = parsed.GetRequiredValue(output),
                Splits = parsed.GetValue(splits) ?? defaults.Splits,
                Order = parsed.GetValue(order),
                Precision = parsed.GetValue(precision),
                Steps = parsed.GetValue(steps),
                LearningRate = parsed.GetValue(learningRate),
                Seed = parsed.GetValue(seed),
            };
            using var ctrlC = new CtrlCHandler();
            IReadOnlyList<AccumulationReport> reports = new CompareAccumulationJob(settings, ConsoleFactory.Create(parsed), ctrlC.CancellationToken).Run();
            Json.WriteReport(parsed.GetValue(json), reports);
            return ExitCode.Success;
        });
        return command;
    }

    private static Option<IReadOnlyList<BatchSplit>?> Splits(IReadOnlyList<BatchSplit> defaults) => new("--splits", "--cuts")
    {
        Description = "How a batch is split, as micro-batches x rows, separated by commas; all splits have the same number of rows. Default: " + string.Join(',', defaults) + ".",
        HelpName = "GxR,GxR,...",
        CustomParser = result =>
        {
            List<BatchSplit> splits = [];
            foreach (string text in result.Tokens[0].Value.Split(',', StringSplitOptions.TrimEntries))
            {
                if (BatchSplit.TryParse(text, out BatchSplit split))
                    splits.Add(split);
                else
                    result.AddError($"--splits has '{text}'; allowed is micro-batches x rows, such as 1x16,2x8,4x4,16x1.");
            }
            return splits;
        },
    };
}
