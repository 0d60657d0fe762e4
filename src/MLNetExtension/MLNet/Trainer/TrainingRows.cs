using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.Data.Store;
using MLNetExtension.MLNet.Preference;
using MLNetExtension.MLNet.Schema;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>The rows that a model is trained on, and those that it is evaluated on meanwhile.</summary>
/// <param name="Rows">The rows to train on, at least one of which has a target token and a weight.</param>
/// <param name="Validation">The rows to evaluate on; null where the options ask for none.</param>
internal sealed record TrainingRows(RowReaderResult Rows, ValidationRows? Validation = null) : IDisposable
{
    /// <summary>For each example to train on its value in the column that the order of rows follows; null where it follows none.</summary>
    public IReadOnlyList<double>? OrderValues { get; init; }

    /// <summary>For each example to train on what columns say the reference says of it; null where they do not.</summary>
    public double[]? Reference { get; init; }

    /// <summary>Reads both with the same columns and the same encoding.</summary>
    /// <param name="input">The data given to the trainer, read once.</param>
    /// <param name="options">The trainer's options, with a seed.</param>
    /// <param name="encoder">Turns a row into ids and targets.</param>
    /// <param name="settings">Where the rows go; which are held out is for the options to say.</param>
    /// <param name="cancellationToken">Looked at before every row.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column of the validation rows is missing or of another type.</exception>
    /// <exception cref="InvalidOperationException">There is no row to train on, or none to evaluate on.</exception>
    /// <exception cref="IOException">The rows need a file, and it cannot be written.</exception>
    public static TrainingRows Read(
        IDataView input, CausalLanguageModelTrainer.Options options, TokenExampleEncoder encoder, StoreSettings settings, CancellationToken cancellationToken)
    {
        if (options.Validation?.Rows is { } data)
            InputSchema.Check(data.Schema, options.Columns, "Validation.Rows");
        StoreSettings parted = settings with
        {
            IsHeldOut = position => IsHeldOut(position, options),
            HeldOutBy = options.Validation?.Fraction is { } fraction ? FormattableString.Invariant($"{fraction:R} {options.Seed}") : "",
        };
        NumberByRow? order = options.RowOrder.Column is { } column ? new(column, "which the order of rows follows") : null;
        ReferenceColumns? reference = ReferenceColumns.Of(options.Columns), heldOutReference = reference;
        NumberByRow[] numbers = [.. order is null ? [] : (NumberByRow[])[order], .. reference?.Numbers ?? []];
        var (rows, heldOut) = RowReader.ReadSplit(new RowSource(input, options.Columns, numbers), encoder, parted, cancellationToken);
        try
        {
            string held = FormattableString.Invariant(
                $"out of the {rows.Counts.Rows + heldOut.Counts.Rows} rows of the training data by Validation.Fraction ({options.Validation?.Fraction})");
            RequireTargets(rows, heldOut.Counts.Rows == 0 ? "The training data" : $"What is not held {held}", options);
            if (options.Validation?.Rows is { } others)
            {
                heldOut.Dispose();
                heldOutReference = ReferenceColumns.Of(options.Columns);
                (heldOut, var none) = RowReader.ReadSplit(new RowSource(others, options.Columns, heldOutReference?.Numbers ?? []), encoder, settings, cancellationToken);
                none.Dispose();
            }
            if (options.Validation is not null)
                RequireTargets(heldOut, options.Validation.Fraction is null ? "Validation.Rows" : $"What is held {held}", options);
            return new TrainingRows(rows, options.Validation is null ? null : new ValidationRows(options, heldOut, heldOutReference?.ValuesOf(heldOut.Examples)))
            {
                OrderValues = order is null ? null : [.. rows.Examples.Select(order.ValueOf)],
                Reference = reference?.ValuesOf(rows.Examples),
            };
        }
        catch
        {
            rows.Dispose();
            heldOut.Dispose();
            throw;
        }
    }

    /// <summary>Lets go of the rows, and of the files that hold them.</summary>
    public void Dispose()
    {
        Rows.Dispose();
        Validation?.Rows.Dispose();
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
