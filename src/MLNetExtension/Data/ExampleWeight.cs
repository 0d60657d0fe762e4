namespace MLNetExtension.Data;

/// <summary>The rule for the weights of rows.</summary>
internal static class ExampleWeight
{
    /// <summary>Lets a weight pass that may multiply sums.</summary>
    /// <exception cref="InvalidOperationException">It is negative or not finite; the message names column and row.</exception>
    public static double Check(float weight, string column, long row) => weight >= 0 && float.IsFinite(weight)
        ? weight
        : throw new InvalidOperationException(FormattableString.Invariant(
            $"The weight of row {row} in column '{column}' is {weight}; allowed is a finite number of at least 0."));
}
