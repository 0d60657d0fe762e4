using System.Text;
using MLNetExtension.Files;

namespace Samples.Text;

/// <summary>
/// Reads UTF-8 so that invalid bytes can be reported with their row: the decoder replaces them by U+FFFF, which Unicode reserves as a non-character.
/// </summary>
internal static class StrictUtf8
{
    private const char Invalid = '\uFFFF';

    private static readonly Encoding _encoding = Encoding.GetEncoding("utf-8", EncoderFallback.ReplacementFallback, new DecoderReplacementFallback("\uFFFF"));

    /// <summary>Opens a text file; a byte order mark selects UTF-16 or UTF-32.</summary>
    /// <exception cref="InvalidDataException">It is empty or not a regular file.</exception>
    public static StreamReader Open(string file) => new(RegularFile.OpenRead(file), _encoding, detectEncodingFromByteOrderMarks: true);

    /// <summary>Says why a string that was read is not text; null if it is.</summary>
    public static string? FindFault(string text) =>
        text.Contains(Invalid) ? "is not valid UTF-8" :
        text.Contains('\0') ? "holds a NUL character, so it is not text" :
        null;
}
