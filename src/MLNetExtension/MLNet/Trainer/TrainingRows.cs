using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.MLNet.Schema;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>The rows that a model is trained on, and those that it is evaluated on meanwhile.</summary>
/// <param name="Rows">The rows to train on, at least one of which has a target token and a weight.</param>
/// <param name="Validation">The rows to evaluate on; null where the options ask for none.</param>
internal sealed record TrainingRows(RowReaderResult Rows, ValidationRows? Validation)
{
    /// <summary>Reads both with the same columns and the same encoding.</summary>
    /// <param name="input">The data given to the trainer, read once.</param>
    /// <param name="options">The trainer's options, with a seed.</param>
    /// <param name="encoder">Turns a row into ids and targets.</param>
    /// <param name="cancellationToken">Looked at before every row.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column of the validation rows is missing or of another type.</exception>
    /// <exception cref="InvalidOperationException">There is no row to train on, or none to evaluate on.</exception>
    public static TrainingRows Read(IDataView input, CausalLanguageModelTrainer.Options options, TokenExampleEncoder encoder, CancellationToken cancellationToken)
    {
        var (rows, heldOut) = RowReader.ReadSplit(input, options.Columns, encoder, position => IsHeldOut(position, options), cancellationToken);
        string held = FormattableString.Invariant($"out of the {rows.Rows + heldOut.Rows} rows of the training data by Validation.Fraction ({options.Validation?.Fraction})");
        RequireTargets(rows, heldOut.Rows == 0 ? "The training data" : $"What is not held {held}", options);
        if (options.Validation is null)
            return new TrainingRows(rows, null);

        if (options.Validation.Rows is { } data)
        {
            InputSchema.Check(data.Schema, options.Columns, "Validation.Rows");
            heldOut = RowReader.ReadAll(data, options.Columns, encoder, cancellationToken);
        }
        RequireTargets(heldOut, options.Validation.Fraction is null ? "Validation.Rows" : $"What is held {held}", options);
        return new TrainingRows(rows, new ValidationRows(options, heldOut));
    }

    // A pure function of seed and position, the same on every platform.
    private static bool IsHeldOut(long position, CausalLanguageModelTrainer.Options options) =>
        options.Validation?.Fraction is { } fraction
        && new SplitMix64(SplitMix64.Mix((uint)options.Seed!.Value) + (ulong)position).NextDouble() < fraction;

    private static void RequireTargets(RowReaderResult rows, string what, CausalLanguageModelTrainer.Options options)
    {
        if (rows.Examples.Count == 0)
            throw new InvalidOperationException(TrainingReport.DescribeNoTargets(rows, what, options));
    }
}
