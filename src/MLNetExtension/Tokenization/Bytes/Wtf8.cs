using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace MLNetExtension.Tokenization.Bytes;

/// <summary>
/// WTF-8: UTF-8 that also encodes a lone surrogate, as the three bytes of its code point. Strings without lone surrogates have the bytes of UTF-8.
/// </summary>
/// <remarks><see cref="Encoding.UTF8"/> would replace a lone surrogate, and its text would not come back from its ids. Source: S. Sapin, "The WTF-8 encoding", https://simonsapin.github.io/wtf-8/.</remarks>
internal static class Wtf8
{
    /// <summary>The bytes that <paramref name="text"/> takes.</summary>
    /// <remarks>UTF-8 writes U+FFFD for a lone surrogate, and U+FFFD takes three bytes too, so the framework's fast count is ours.</remarks>
    public static int CountBytes(ReadOnlySpan<char> text) => Encoding.UTF8.GetByteCount(text);

    /// <summary>The chars of the character that starts at <paramref name="index"/>: two for a surrogate pair, otherwise one.</summary>
    public static int CountChars(ReadOnlySpan<char> text, int index) =>
        index + 1 < text.Length && char.IsSurrogatePair(text[index], text[index + 1]) ? 2 : 1;

    /// <summary>The bytes of a character of <paramref name="chars"/> chars whose first is <paramref name="first"/>.</summary>
    public static int CountBytes(char first, int chars) => chars == 2 ? 4 : first < 0x80 ? 1 : first < 0x800 ? 2 : 3;

    /// <summary>Writes as many whole characters as fit.</summary>
    /// <returns>The bytes written.</returns>
    public static int Encode(ReadOnlySpan<char> text, Span<byte> destination, out int charsRead)
    {
        charsRead = 0;
        int written = 0;
        while (true)
        {
            OperationStatus status = Utf8.FromUtf16(text[charsRead..], destination[written..], out int read, out int wrote, replaceInvalidSequences: false);
            charsRead += read;
            written += wrote;
            if (status != OperationStatus.InvalidData || destination.Length - written < 3)
                return written;

            // Utf8.FromUtf16 stops in front of a lone surrogate.
            int surrogate = text[charsRead++];
            destination[written++] = (byte)(0xE0 | (surrogate >> 12));
            destination[written++] = (byte)(0x80 | ((surrogate >> 6) & 0x3F));
            destination[written++] = (byte)(0x80 | (surrogate & 0x3F));
        }
    }

    /// <summary>Decodes all of <paramref name="bytes"/>; what is not valid becomes U+FFFD, once for each maximal part, as in UTF-8.</summary>
    public static void Decode(ReadOnlySpan<byte> bytes, IBufferWriter<char> destination)
    {
        if (bytes.IsEmpty)
            return;

        Span<char> chars = destination.GetSpan(bytes.Length); // no byte gives more than one char
        int total = 0;
        while (!bytes.IsEmpty)
        {
            Utf8.ToUtf16(bytes, chars[total..], out int read, out int wrote, replaceInvalidSequences: false);
            bytes = bytes[read..];
            total += wrote;
            if (!bytes.IsEmpty)
            {
                DecodeFirst(bytes, isFinal: true, chars[total..], out read, out wrote);
                bytes = bytes[read..];
                total += wrote;
            }
        }

        destination.Advance(total);
    }

    /// <summary>
    /// Decodes the first character of <paramref name="bytes"/> (not empty), or U+FFFD for the invalid part it starts with; <see langword="false"/> where the
    /// bytes that complete it are still to come.
    /// </summary>
    /// <param name="bytes">The bytes, of which at most the first four are looked at.</param>
    /// <param name="isFinal">Whether no bytes will follow; then the result is always <see langword="true"/>.</param>
    /// <param name="chars">Where the character goes. Two chars are enough; one is where there is only one byte.</param>
    /// <param name="bytesRead">The bytes that the character took.</param>
    /// <param name="charsWritten">The chars written, 1 or 2.</param>
    public static bool DecodeFirst(ReadOnlySpan<byte> bytes, bool isFinal, Span<char> chars, out int bytesRead, out int charsWritten)
    {
        // UTF-8 forbids ED A0 80 to ED BF BF: those are the surrogates.
        if (bytes[0] == 0xED && bytes.Length > 1 && bytes[1] is >= 0xA0 and <= 0xBF)
        {
            if (bytes.Length == 2 && !isFinal)
            {
                bytesRead = charsWritten = 0;
                return false;
            }

            if (bytes.Length > 2 && bytes[2] is >= 0x80 and <= 0xBF)
            {
                chars[0] = (char)(0xD000 | ((bytes[1] & 0x3F) << 6) | (bytes[2] & 0x3F));
                bytesRead = 3;
                charsWritten = 1;
                return true;
            }
        }

        // For invalid bytes the rune is U+FFFD, and bytesRead is the length of the part that it stands for.
        OperationStatus status = Rune.DecodeFromUtf8(bytes, out Rune rune, out bytesRead);
        if (status == OperationStatus.NeedMoreData && !isFinal)
        {
            bytesRead = charsWritten = 0;
            return false;
        }

        charsWritten = rune.EncodeToUtf16(chars);
        return true;
    }
}
