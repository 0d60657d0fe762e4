using System.Globalization;
using MLNetExtension.Training.Accumulation;
using Spectre.Console;

namespace Samples.Comparison;

/// <summary>The table that <c>compare-accumulation</c> prints at the end, and what its figures mean.</summary>
internal static class AccumulationTable
{
    public static void Write(IAnsiConsole console, IReadOnlyList<AccumulationRun> runs)
    {
        Table table = new Table().Border(TableBorder.Rounded).AddColumns("normalization", "split").AddColumn(new TableColumn("ranks").RightAligned());
        foreach (string header in (string[])["gradient error", "norm error", "loss", "weight distance"])
            table.AddColumn(new TableColumn(header).RightAligned());
        foreach (AccumulationRun run in runs)
        {
            string split = run == runs[0] ? $"{run.Split} (full batch)" : run.Split.ToString();
            table.AddRow(run.Normalization.ToString(), split, run.Ranks.ToString(CultureInfo.InvariantCulture), Figure(run.GradientRelativeError), Figure(run.GradientNormError), run.Loss.ToString("0.0000", CultureInfo.InvariantCulture), Figure(run.WeightDistance));
        }
        console.Write(table);
        foreach (string line in Notes(runs))
            console.WriteLine(line);
    }

    /// <summary>What the figures mean, in sentences.</summary>
    public static IEnumerable<string> Notes(IReadOnlyList<AccumulationRun> runs)
    {
        yield return "Errors and distances are relative L2 distances from the full batch: of the first batch's gradient at the same weights, of its norm before clipping, and of the weights after the last step. "
            + "Loss is in nats per target token, over the last ten batches.";
        if (runs.Any(run => run.Normalization == LossNormalization.MicroBatchMean))
            yield return "MicroBatchMean is a mean of means, as taken since September 2025 by mlx-lm (tuner/trainer.py), nanochat (chat_sft.py) and open-instruct (finetune.py, unless its loss is set to a sum): "
                + "a token weighs more in a micro-batch that has few.";
        if (runs.Any(run => run.Normalization == LossNormalization.Sum))
            yield return FormattableString.Invariant($"Sum does not divide: its gradient is N times the full batch's, so its error is N - 1; the first batch has N = {runs[0].Batches[0].TargetCount:N0} target tokens. ")
                + "AdamW cancels a constant factor, so only the change of N from batch to batch affects the weights; plain SGD would take steps N times as long, and clipping would shorten all of them.";
    }

    /// <summary>A distance: 0, a plain number, or a power of ten where it is small.</summary>
    public static string Figure(double value) =>
        value.ToString(value is 0 ? "0" : value < 1e-3 ? "0.0e+0" : "#,0.####", CultureInfo.InvariantCulture);
}
