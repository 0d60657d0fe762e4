namespace MLNetExtension.Benchmarks.Measuring;

/// <summary>A figure over several rounds.</summary>
/// <param name="Median">The middle one, or the mean of the two in the middle.</param>
/// <param name="Minimum">The smallest.</param>
/// <param name="Maximum">The largest.</param>
internal sealed record Figure(double Median, double Minimum, double Maximum)
{
    /// <summary>Sums up values.</summary>
    /// <param name="values">At least one.</param>
    public static Figure Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return new Figure((sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2, sorted[0], sorted[^1]);
    }

    /// <summary>Median, and in brackets minimum to maximum.</summary>
    /// <param name="format">A numeric format.</param>
    public string ToString(string format) => Minimum == Maximum ? Median.ToString(format) : $"{Median.ToString(format)} ({Minimum.ToString(format)}..{Maximum.ToString(format)})";
}
