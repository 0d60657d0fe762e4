namespace MLNetExtension.Tokenization.Bytes;

/// <summary>The printable characters by which byte-level vocabularies write bytes: visible Latin-1 characters stand for themselves, those from 256 on for the other
/// bytes.</summary>
/// <remarks>Source: GPT-2's <c>bytes_to_unicode</c>; A. Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.</remarks>
internal static class ByteAlphabet
{
    private static readonly char[] Chars = MakeChars();
    private static readonly short[] Bytes = MakeBytes();

    /// <summary>The 256 characters in order of their code points, which is the order of the first ids of GPT-2's vocabulary.</summary>
    public static IEnumerable<char> Ordered => Chars.Order();

    /// <summary>The character that stands for a byte.</summary>
    public static char GetChar(byte value) => Chars[value];

    /// <summary>The byte that a character stands for; false where it stands for none.</summary>
    public static bool TryGetByte(char character, out byte value)
    {
        short found = character < Bytes.Length ? Bytes[character] : (short)-1;
        value = (byte)found;
        return found >= 0;
    }

    /// <summary>Writes the bytes of a text, one character each.</summary>
    public static string Encode(ReadOnlySpan<char> text)
    {
        var bytes = new byte[Wtf8.CountBytes(text)];
        Wtf8.Encode(text, bytes, out _);
        return string.Create(bytes.Length, bytes, static (chars, from) =>
        {
            for (int i = 0; i < from.Length; i++)
                chars[i] = Chars[from[i]];
        });
    }

    /// <summary>The bytes that a token of a vocabulary stands for; null where one of its characters stands for none.</summary>
    public static byte[]? TryDecode(string token)
    {
        var bytes = new byte[token.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            if (!TryGetByte(token[i], out bytes[i]))
                return null;
        }

        return bytes;
    }

    private static char[] MakeChars()
    {
        var chars = new char[256];
        int next = 256;
        for (int value = 0; value < chars.Length; value++)
            chars[value] = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)value : (char)next++;

        return chars;
    }

    private static short[] MakeBytes()
    {
        var bytes = new short[Chars.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (int value = 0; value < Chars.Length; value++)
            bytes[Chars[value]] = (short)value;

        return bytes;
    }
}
