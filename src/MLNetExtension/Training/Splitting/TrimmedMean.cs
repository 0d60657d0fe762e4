namespace MLNetExtension.Training.Splitting;

/// <summary>The mean of measurements without the fifth that is lowest and the fifth that is highest, and how far it may be off (Tukey and McLaughlin 1963).</summary>
/// <param name="Mean">The mean.</param>
/// <param name="Error">Its standard deviation.</param>
internal readonly record struct TrimmedMean(double Mean, double Error)
{
    private const int Part = 5;

    /// <summary>Computes it.</summary>
    /// <param name="values">At least 2, in any order, which changes.</param>
    public static TrimmedMean Of(double[] values)
    {
        Array.Sort(values);
        int cut = values.Length / Part;
        double[] inner = values[cut..^cut];
        // What is left out counts as what is next to it.
        double[] all = [.. Enumerable.Repeat(inner[0], cut), .. inner, .. Enumerable.Repeat(inner[^1], cut)];
        double center = all.Average(), deviation = Math.Sqrt(all.Sum(value => (value - center) * (value - center)) / (all.Length - 1));
        return new TrimmedMean(inner.Average(), deviation * Math.Sqrt(all.Length) / inner.Length);
    }
}
