using System.Globalization;

namespace MLNetExtension.Files;

/// <summary>The numbers that a key may have.</summary>
/// <param name="Minimum">The least.</param>
/// <param name="Maximum">The largest.</param>
/// <param name="IsOpen">Whether <paramref name="Minimum"/> itself is too little.</param>
/// <param name="IsBelow">Whether <paramref name="Maximum"/> itself is too much.</param>
internal readonly record struct NumberRange(double Minimum, double Maximum, bool IsOpen = false, bool IsBelow = false)
{
    /// <summary>A share, from 0 to below 1.</summary>
    public static NumberRange Share { get; } = new(0, 1, IsBelow: true);

    /// <summary>Whether a number is in the range.</summary>
    public bool Contains(double value) => (IsOpen ? value > Minimum : value >= Minimum) && (IsBelow ? value < Maximum : value <= Maximum);

    /// <summary>The range in words, for messages: from 0 to below 1.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(IsOpen ? "above" : "from")} {Minimum} to {(IsBelow ? "below " : "")}{Maximum}");
}
