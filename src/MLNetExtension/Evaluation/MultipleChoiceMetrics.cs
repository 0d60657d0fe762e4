using System.Globalization;

namespace MLNetExtension.Evaluation;

/// <summary>How often a causal language model finds the right one of several answers more probable than the others.</summary>
/// <remarks>
/// <para>With s_i the sum of the natural logarithms of the probabilities of the tokens of option i after the question, the model chooses the first option with the highest s_i; divided by the option's length
/// in characters, or in bytes, where lengths are to make no difference. These are <c>acc</c>, <c>acc_norm</c> and <c>acc_bytes</c> of EleutherAI's lm-evaluation-harness. A row for one of whose options the
/// model gives no number counts as wrong.</para>
/// <para>With p a share of n rows, its standard error is <c>sqrt(p (1 - p) / (n - 1))</c>: that of a mean of n independent rows, estimated from them; not a number for a single row.</para>
/// </remarks>
public sealed class MultipleChoiceMetrics
{
    internal MultipleChoiceMetrics(MultipleChoiceSums sums)
    {
        Rows = sums.Rows;
        TruncatedRows = sums.Truncated;
        (Accuracy, AccuracyStandardError) = Share(sums.Correct, Rows);
        (NormalizedAccuracy, NormalizedAccuracyStandardError) = Share(sums.CorrectByCharacter, Rows);
        (ByteNormalizedAccuracy, ByteNormalizedAccuracyStandardError) = Share(sums.CorrectByByte, Rows);
    }

    /// <summary>The share of rows whose right option has the highest log-probability, 0 to 1; 1 is best.</summary>
    public double Accuracy { get; }

    /// <summary>The standard error of <see cref="Accuracy"/>.</summary>
    public double AccuracyStandardError { get; }

    /// <summary>The share of rows whose right option has the highest log-probability per character (Unicode code point) of the option, without the delimiter, 0 to 1; 1 is best.</summary>
    public double NormalizedAccuracy { get; }

    /// <summary>The standard error of <see cref="NormalizedAccuracy"/>.</summary>
    public double NormalizedAccuracyStandardError { get; }

    /// <summary>The share of rows whose right option has the highest log-probability per UTF-8 byte of the option, without the delimiter, 0 to 1; 1 is best.</summary>
    public double ByteNormalizedAccuracy { get; }

    /// <summary>The standard error of <see cref="ByteNormalizedAccuracy"/>.</summary>
    public double ByteNormalizedAccuracyStandardError { get; }

    /// <summary>The number of rows.</summary>
    public long Rows { get; }

    /// <summary>The number of rows of whose question the beginning was left out, because with one of the options it is longer than the model's context.</summary>
    public long TruncatedRows { get; }

    /// <summary>Formats the metrics in one line, for people to read.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"accuracy {100 * Accuracy:F1} ± {100 * AccuracyStandardError:F1} %, per character {100 * NormalizedAccuracy:F1} ± {100 * NormalizedAccuracyStandardError:F1} %, per byte {100 * ByteNormalizedAccuracy:F1} ± {100 * ByteNormalizedAccuracyStandardError:F1} %, {Rows:N0} rows");

    private static (double Share, double StandardError) Share(long correct, long rows)
    {
        double share = correct / (double)rows;
        return (share, rows > 1 ? Math.Sqrt(share * (1 - share) / (rows - 1)) : double.NaN);
    }
}
