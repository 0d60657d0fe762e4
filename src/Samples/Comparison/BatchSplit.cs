using System.Globalization;

namespace Samples.Comparison;

/// <summary>How a batch is split into equal micro-batches, written <c>4x4</c> for four micro-batches of four rows each; both numbers are at least 1.</summary>
internal readonly record struct BatchSplit(int MicroBatches, int RowsPerMicroBatch)
{
    /// <summary>Rows of the batch.</summary>
    public long Rows => (long)MicroBatches * RowsPerMicroBatch;

    /// <summary>Reads what <see cref="ToString"/> writes; false if the text is something else.</summary>
    public static bool TryParse(string text, out BatchSplit split)
    {
        string[] parts = text.Split('x');
        bool read = int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int microBatches)
            & int.TryParse(parts[^1], NumberStyles.None, CultureInfo.InvariantCulture, out int rows);
        split = new BatchSplit(microBatches, rows);
        return read && parts.Length == 2 && microBatches > 0 && rows > 0;
    }

    /// <summary>Writes the split: <c>4x4</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{MicroBatches}x{RowsPerMicroBatch}");
}
