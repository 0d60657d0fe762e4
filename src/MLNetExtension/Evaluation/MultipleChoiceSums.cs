using System.Text;

namespace MLNetExtension.Evaluation;

/// <summary>Counts the rows whose right option a model prefers.</summary>
internal sealed class MultipleChoiceSums
{
    /// <summary>All rows.</summary>
    public long Rows { get; private set; }

    /// <summary>Those of whose question the beginning was left out.</summary>
    public long Truncated { get; private set; }

    /// <summary>Those whose right option has the highest log-probability.</summary>
    public long Correct { get; private set; }

    /// <summary>Those whose right option has the highest log-probability per character.</summary>
    public long CorrectByCharacter { get; private set; }

    /// <summary>Those whose right option has the highest log-probability per UTF-8 byte.</summary>
    public long CorrectByByte { get; private set; }

    /// <summary>Counts a row.</summary>
    /// <param name="options">The options, none of them empty.</param>
    /// <param name="logProbabilities">The log-probability of each, in nats.</param>
    /// <param name="answer">The index of the right one.</param>
    /// <param name="wasTruncated">Whether the beginning of the question was left out.</param>
    public void Add(IReadOnlyList<string> options, IReadOnlyList<double> logProbabilities, int answer, bool wasTruncated)
    {
        Rows++;
        Truncated += wasTruncated ? 1 : 0;
        Correct += IsHighest(_ => 1) ? 1 : 0;
        CorrectByCharacter += IsHighest(option => option.EnumerateRunes().Count()) ? 1 : 0;
        CorrectByByte += IsHighest(Encoding.UTF8.GetByteCount) ? 1 : 0;

        bool IsHighest(Func<string, int> length) => FindHighest([.. logProbabilities.Zip(options, (sum, option) => sum / length(option))]) == answer;
    }

    /// <summary>Makes the counts of rows that others have counted.</summary>
    /// <param name="numbers">What <see cref="ToNumbers"/> gives, of one or added up over several.</param>
    public static MultipleChoiceSums FromNumbers(double[] numbers) => new()
    {
        Rows = (long)numbers[0],
        Truncated = (long)numbers[1],
        Correct = (long)numbers[2],
        CorrectByCharacter = (long)numbers[3],
        CorrectByByte = (long)numbers[4],
    };

    /// <summary>The counts as numbers that can be added to those of other rows; exact up to 2^53.</summary>
    public double[] ToNumbers() => [Rows, Truncated, Correct, CorrectByCharacter, CorrectByByte];

    /// <summary>The metrics of all rows so far.</summary>
    /// <exception cref="InvalidOperationException">There is no row.</exception>
    public MultipleChoiceMetrics ToMetrics() => Rows > 0 ? new MultipleChoiceMetrics(this) : throw new InvalidOperationException("There are no rows to evaluate.");

    // Of equal ones the first, as argmax gives it; -1 where one is not a number.
    private static int FindHighest(double[] values)
    {
        if (values.Any(double.IsNaN))
            return -1;
        return Array.IndexOf(values, values.Max());
    }
}
