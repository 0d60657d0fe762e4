using System.CommandLine;
using Samples.Comparison;
using Samples.Jobs;
using Samples.Reporting;

namespace Samples.Commands;

/// <summary><c>compare-accumulation</c>: what becomes of a gradient when a window is cut.</summary>
internal static class CompareAccumulationCommand
{
    public static Command Create()
    {
        var defaults = new AccumulationComparisonSettings();
        Option<string?> data = new("--data") { Description = "Rows of your own: text (a row a line), .csv or .tsv with a header, or .jsonl. Default: the XML documentation in the SDK's reference packs.", HelpName = "FILE" };
        var columns = new ColumnOptions();
        Option<IReadOnlyList<BatchSplit>?> cuts = Cuts(defaults.Cuts);
        Option<RowOrder> order = OptionFactory.Choice("--order", defaults.Order, "Order of the rows of a window: as they come, or the longest first.");
        Option<int> steps = OptionFactory.Integer("--steps", defaults.Steps, 1, "Optimizer steps of each run.");
        Option<ComparisonPrecision> precision = OptionFactory.Choice("--precision", defaults.Precision, "What is computed in: float64 shows what is exact.");
        Option<double> learningRate = OptionFactory.Number("--learning-rate", defaults.LearningRate, value => value > 0 && double.IsFinite(value), "above 0", "Learning rate of every step.");
        Option<int> layers = OptionFactory.Integer("--layers", 2, 1, "Transformer blocks.");
        Option<int> heads = OptionFactory.Integer("--heads", 2, 1, "Attention heads of a block; divides the width.");
        Option<int> width = OptionFactory.Integer("--width", 64, 1, "Length of a hidden state.");
        Option<int> context = OptionFactory.Integer("--context", 160, 2, "Most tokens read of a row; a longer row is cut.");
        Option<int> seed = OptionFactory.Integer("--seed", defaults.Seed, 0, "Seed of the weights and of the order of rows.");
        Option<string> output = new("--output") { Description = "Folder for accumulation.html.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("artifacts", "compare-accumulation") };
        Option<string?> json = OptionFactory.JsonFile();

        var command = new Command("compare-accumulation", "Trains one model under full batch, Token, MicroBatchMean and Sum for several cuts, and shows how far each strays from the full batch.")
        {
            data, cuts, order, steps, precision, learningRate, layers, heads, width, context, seed, output, json,
        };
        columns.AddTo(command);
        command.SetAction(parsed =>
        {
            var settings = new CompareAccumulationSettings
            {
                DataFile = parsed.GetValue(data),
                Columns = columns.Read(parsed),
                Layers = parsed.GetValue(layers),
                Heads = parsed.GetValue(heads),
                Width = parsed.GetValue(width),
                Context = parsed.GetValue(context),
                OutputFolder = parsed.GetRequiredValue(output),
                Comparison = defaults with
                {
                    Cuts = parsed.GetValue(cuts) ?? defaults.Cuts,
                    Order = parsed.GetValue(order),
                    Precision = parsed.GetValue(precision),
                    Steps = parsed.GetValue(steps),
                    LearningRate = parsed.GetValue(learningRate),
                    Seed = parsed.GetValue(seed),
                },
            };
            using var interrupt = new Interrupt();
            IReadOnlyList<AccumulationReport> reports = new CompareAccumulationJob(settings, ConsoleFactory.Create(parsed), interrupt.Token).Run();
            if (parsed.GetValue(json) is { } file)
                AtomicFile.WriteAllText(file, Json.Indented(reports));
            return SamplesApp.Success;
        });
        return command;
    }

    private static Option<IReadOnlyList<BatchSplit>?> Cuts(IReadOnlyList<BatchSplit> defaults) => new("--cuts")
    {
        Description = "How a window is cut, as micro-batches x rows, separated by commas; all cuts have the window's rows. Default: " + string.Join(',', defaults) + ".",
        HelpName = "GxR,GxR,...",
        CustomParser = result =>
        {
            List<BatchSplit> cuts = [];
            foreach (string text in result.Tokens[0].Value.Split(',', StringSplitOptions.TrimEntries))
            {
                if (BatchSplit.TryParse(text, out BatchSplit cut))
                    cuts.Add(cut);
                else
                    result.AddError($"--cuts has '{text}'; allowed is micro-batches x rows, such as 1x16,2x8,4x4,16x1.");
            }
            return cuts;
        },
    };
}
