namespace MLNetExtension.Files;

/// <summary>Names of files that are given in a file: they must not lead out of its folder, and must be names on every system.</summary>
internal static class PlainFileName
{
    private const int MaximumLength = 255;

    /// <summary>Whether a name is a plain one: without a folder, a drive or a control character.</summary>
    public static bool Is(string? name) =>
        name is { Length: > 0 and <= MaximumLength } and not "." and not ".." && !name.AsSpan().ContainsAny("/\\:") && !name.Any(char.IsControl);
}
