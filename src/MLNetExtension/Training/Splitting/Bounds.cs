namespace MLNetExtension.Training.Splitting;

/// <summary>What a quantity lies between that was measured with noise.</summary>
/// <param name="Low">It is hardly less.</param>
/// <param name="High">It is hardly more.</param>
internal readonly record struct Bounds(double Low, double High)
{
    // Fewer values tell nothing, however well they agree.
    private const int FewestValues = 4;

    /// <summary>Bounds the middle of values by the averages of all pairs, of which few outliers move few (Hodges and Lehmann 1963, "Estimates of location based on rank tests").</summary>
    /// <param name="values">The values; NaN does not count.</param>
    /// <param name="deviations">How certain the bounds are, in standard deviations: 1.64 is right nine times of ten, 2 nineteen times of twenty.</param>
    public static Bounds OfMiddle(IEnumerable<double> values, double deviations)
    {
        double[] counted = [.. values.Where(value => !double.IsNaN(value))];
        double count = counted.Length;
        if (count < FewestValues)
            return new Bounds(double.NegativeInfinity, double.PositiveInfinity);
        double[] averages = [.. counted.SelectMany((value, index) => counted.Take(index + 1).Select(other => (value + other) / 2)).Order()];
        // How many averages lie below the middle has this deviation (Wilcoxon's signed ranks).
        double deviation = Math.Sqrt(count * (count + 1) * (2 * count + 1) / 24);
        int outside = (int)Math.Max(0, averages.Length / 2.0 - deviations * deviation);
        return new Bounds(averages[outside], averages[^(outside + 1)]);
    }
}
