using System.Runtime.CompilerServices;

namespace MLNetExtension;

/// <summary>Checks options where they enter. Every message has the same form: name, value and what is allowed.</summary>
internal static class Require
{
    /// <summary>A number that the sums and products of training leave below float32's largest.</summary>
    public const double LargestNumber = 1e30;

    // float32's smallest normal number.
    private const double SmallestNumber = 1.1754943508222875E-38;

    /// <summary>Throws unless a condition holds.</summary>
    /// <param name="holds">The condition.</param>
    /// <param name="value">The option that it is about.</param>
    /// <param name="allowed">Which values are allowed, as in "at least 1".</param>
    /// <param name="group">The options that this one belongs to, as in <c>Batching</c>; null where it stands alone.</param>
    /// <param name="option">The option's name; by default the expression given as <paramref name="value"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The condition does not hold.</exception>
    public static void That(bool holds, object? value, string allowed, string? group = null, [CallerArgumentExpression(nameof(value))] string option = "")
    {
        if (holds)
            return;
        string name = group is null ? option : $"{group}.{option}";
        throw new ArgumentOutOfRangeException(name, value, FormattableString.Invariant($"{name} is {Describe(value)}; allowed is {allowed}."));
    }

    /// <summary>Requires a value that its enumeration declares.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It declares no such value.</exception>
    public static void Defined<T>(T value, string? group = null, [CallerArgumentExpression(nameof(value))] string option = "")
        where T : struct, Enum =>
        That(Enum.IsDefined(value), value, string.Join(", ", Enum.GetNames<T>()), group, option);

    /// <summary>Requires a name of a column or a folder.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is null or empty.</exception>
    public static void Name(string? value, string? group = null, [CallerArgumentExpression(nameof(value))] string option = "") =>
        That(!string.IsNullOrWhiteSpace(value), value, "a name that is not empty", group, option);

    /// <summary>Requires a name of a column or a folder, or null where there is none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is empty.</exception>
    public static void OptionalName(string? value, string? group = null, [CallerArgumentExpression(nameof(value))] string option = "") =>
        That(value is null || !string.IsNullOrWhiteSpace(value), value, "null, or a name that is not empty", group, option);

    /// <summary>Requires a list of names; a list may be empty.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The list is null, or a name in it is null or empty; the message says which.</exception>
    public static void Names(IReadOnlyList<string>? values, string? group = null, [CallerArgumentExpression(nameof(values))] string option = "")
    {
        That(values is not null, values, "a list of names", group, option);
        for (int i = 0; i < values!.Count; i++)
            Name(values[i], group, $"{option}[{i}]");
    }

    /// <summary>Requires a number above 0 that float32, in which models are computed, neither rounds to 0 nor loses to infinity; null is allowed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below float32's smallest normal number or above 1e30.</exception>
    public static void Positive(double? value, string? group = null, [CallerArgumentExpression(nameof(value))] string option = "") =>
        That(value is null or (>= SmallestNumber and <= LargestNumber), value, "from 1.18E-38 to 1E+30", group, option);

    /// <summary>Requires a number of at least 0 that float32, in which models are computed, does not lose to infinity; null is allowed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative or above 1e30.</exception>
    public static void NotNegative(double? value, string? group = null, [CallerArgumentExpression(nameof(value))] string option = "") =>
        That(value is null or (>= 0 and <= LargestNumber), value, "from 0 to 1E+30", group, option);

    /// <summary>Requires a share that is not the whole, in float32 either; null is allowed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative, or float32 rounds it to 1 or more.</exception>
    public static void Share(double? value, string? group = null, [CallerArgumentExpression(nameof(value))] string option = "") =>
        That(value is null || (value >= 0 && (float)value < 1), value, "from 0 to below 1", group, option);

    private static object Describe(object? value) => value switch
    {
        null => "null",
        string text => $"'{text}'",
        IEnumerable<string> texts => $"[{string.Join(", ", texts)}]",
        _ => value,
    };
}
