using System.Text;

namespace Samples.Text;

/// <summary>UTF-8 in which bytes that are no UTF-8 become U+FFFF, which Unicode reserves as never a character: so a reader can tell in which row they were.</summary>
internal static class MarkedUtf8
{
    public const char Invalid = '\uFFFF';

    public static Encoding Encoding { get; } = System.Text.Encoding.GetEncoding("utf-8", EncoderFallback.ReplacementFallback, new DecoderReplacementFallback("\uFFFF"));

    /// <summary>Opens a text file; a byte order mark decides for UTF-16 or UTF-32.</summary>
    public static StreamReader Open(string file) => new(file, Encoding, detectEncodingFromByteOrderMarks: true);

    /// <summary>Why the text is no text; null where it is.</summary>
    public static string? WhyNotText(string text) =>
        text.Contains(Invalid) ? "is not valid UTF-8" :
        text.Contains('\0') ? "holds a NUL character, so it is not text" :
        null;
}
