namespace MLNetExtension.Data;

/// <summary>The rule for the weights of rows.</summary>
internal static class ExampleWeight
{
    // With weights near float32's largest, a batch's gradient and what divides it would be infinite, and the one by the other nothing.
    private const float Largest = 1e30f;

    /// <summary>Lets a weight pass that may multiply sums.</summary>
    /// <exception cref="InvalidOperationException">It is negative, above 1e30 or not a number; the message names column and row.</exception>
    public static double Check(float weight, string column, long row) => weight is >= 0 and <= Largest
        ? weight
        : throw new InvalidOperationException(FormattableString.Invariant(
            $"The weight of row {row} in column '{column}' is {weight}; allowed is a number from 0 to 1E+30."));
}
