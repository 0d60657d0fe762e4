using System.CommandLine;
using MLNetExtension.Training.Accumulation;
using Samples.Comparison;
using Samples.Text;

namespace Samples.Commands;

/// <summary><c>compare-accumulation</c>: the effect of splitting a batch on its gradient.</summary>
internal static class CompareAccumulationCommand
{
    public static SettingsCommand<ComparisonSettings> Create()
    {
        var defaults = new ComparisonSettings();
        var command = new SettingsCommand<ComparisonSettings>("compare-accumulation", "Trains one model with every loss normalization and several splits of a batch into micro-batches, and shows how far each strays from the full batch.")
        {
            { OptionFactory.DataOrDocumentation(), (settings, file) => settings.DataFile = file },
            { Splits(defaults.Splits), (settings, splits) => settings.Splits = splits ?? settings.Splits },
            { Normalizations(defaults.Normalizations), (settings, normalizations) => settings.Normalizations = normalizations ?? settings.Normalizations },
            { OptionFactory.Choice("--order", defaults.Order, "Order of the rows of a batch: shuffled, or longest first."), (settings, order) => settings.Order = order },
            { OptionFactory.Integer("--steps", defaults.Steps, 1, "Optimizer steps of each run."), (settings, steps) => settings.Steps = steps },
            {
                OptionFactory.Choice("--precision", defaults.Precision, "Floating-point type of the computation; Float64 tells exact from nearly exact, Float32AgainstFloat64 how right float32 is."),
                (settings, precision) => settings.Precision = precision
            },
            { OptionFactory.OptionalNumber("--learning-rate", $"Learning rate of every step. Default: {defaults.LearningRate}."), (settings, rate) => settings.LearningRate = rate ?? settings.LearningRate },
            { OptionFactory.Number("--clip", defaults.MaximumGradientNorm, "L2 norm that a longer gradient is clipped to; 0 for no clipping."), (settings, norm) => settings.MaximumGradientNorm = norm },
            { OptionFactory.Integer("--layers", defaults.Network.Layers, 1, "Number of transformer blocks."), (settings, layers) => settings.Network = settings.Network with { Layers = layers } },
            { OptionFactory.Integer("--heads", defaults.Network.Heads, 1, "Attention heads of a block; must divide the width."), (settings, heads) => settings.Network = settings.Network with { Heads = heads } },
            { OptionFactory.Integer("--width", defaults.Network.Width, 1, "Length of a hidden state."), (settings, width) => settings.Network = settings.Network with { Width = width } },
            { OptionFactory.Integer("--vocabulary", defaults.Vocabulary, ComparisonSettings.BytesVocabulary, "Rows of the embedding; tokens are bytes, whatever their number."), (settings, vocabulary) => settings.Vocabulary = vocabulary },
            { OptionFactory.Integer("--context", defaults.Network.ContextLength, 2, "Maximum tokens of a row; longer rows are truncated."), (settings, context) => settings.Network = settings.Network with { ContextLength = context } },
            { OptionFactory.Integer("--seed", defaults.Seed, 0, "Seed of the weights and of the order of rows."), (settings, seed) => settings.Seed = seed },
            { OptionFactory.Ranks("also train together, and are compared with one alone"), (settings, ranks) => settings.Ranks = ranks },
            { OptionFactory.OutputFolder(defaults.OutputFolder, "Folder for accumulation.html."), (settings, folder) => settings.OutputFolder = folder },
        };
        Func<ParseResult, RowColumns> columns = ColumnOptions.AddTo(command);
        command.Configure((settings, parsed) => settings.Columns = columns(parsed));
        command.SetReportingAction(parsed =>
        {
            using var signals = new EndSignals();
            ComparisonSettings settings = command.Read(parsed);
            return new CompareAccumulationJob(settings, ConsoleFactory.Create(parsed, settings.Ranks), signals.CancellationToken).Run();
        });
        return command;
    }

    private static Option<IReadOnlyList<LossNormalization>?> Normalizations(IReadOnlyList<LossNormalization> defaults) => List(
        ["--normalizations"], "NAME,NAME,...", "What gradients are divided by", defaults, $"one of {string.Join(", ", defaults)}",
        text => Enum.TryParse(text, ignoreCase: true, out LossNormalization normalization) && Enum.IsDefined(normalization) ? normalization : (LossNormalization?)null);

    private static Option<IReadOnlyList<BatchSplit>?> Splits(IReadOnlyList<BatchSplit> defaults) => List(
        ["--splits", "--cuts"], "GxR,GxR,...", "How a batch is split, as micro-batches x rows, with the same number of rows in each", defaults, "micro-batches x rows, such as 1x16,2x8,4x4,16x1",
        text => BatchSplit.TryParse(text, out BatchSplit split) ? split : (BatchSplit?)null);

    // Values separated by commas.
    private static Option<IReadOnlyList<T>?> List<T>(string[] names, string help, string description, IReadOnlyList<T> defaults, string allowed, Func<string, T?> parse) where T : struct => new(names[0], names[1..])
    {
        Description = $"{description}, separated by commas. Default: {string.Join(',', defaults)}.",
        HelpName = help,
        CustomParser = result =>
        {
            List<T> values = [];
            foreach (string text in result.Tokens[0].Value.Split(',', StringSplitOptions.TrimEntries))
            {
                if (parse(text) is { } value)
                    values.Add(value);
                else
                    result.AddError($"{names[0]} has '{text}'; allowed is {allowed}.");
            }
            return values;
        },
    };
}
