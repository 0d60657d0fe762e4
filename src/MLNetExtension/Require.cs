using System.Runtime.CompilerServices;

namespace MLNetExtension;

/// <summary>Checks options where they enter. Every message has the same form: name, value and what is allowed.</summary>
internal static class Require
{
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

    private static object Describe(object? value) => value switch
    {
        null => "null",
        string text => $"'{text}'",
        IEnumerable<string> texts => $"[{string.Join(", ", texts)}]",
        _ => value,
    };
}
