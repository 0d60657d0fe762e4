using System.Globalization;
using System.Text;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Reads the strings of a template, with Python's escapes.</summary>
internal static class StringLiteral
{
    /// <summary>Finds where a string ends that begins with a quote.</summary>
    /// <returns>The position behind its last quote; -1 where it does not end.</returns>
    public static int FindEnd(string source, int start)
    {
        for (int at = start + 1; at < source.Length; at++)
        {
            if (source[at] == '\\')
                at++;
            else if (source[at] == source[start])
                return at + 1;
        }

        return -1;
    }

    /// <summary>Reads what is between the quotes; null where an escape is not valid.</summary>
    public static string? Read(ReadOnlySpan<char> text)
    {
        if (!text.Contains('\\'))
            return text.ToString();
        var result = new StringBuilder();
        for (int at = 0; at < text.Length; at++)
        {
            if (text[at] != '\\')
            {
                result.Append(text[at]);
                continue;
            }

            if (++at == text.Length || !TryAppendEscape(text, ref at, result))
                return null;
        }

        return result.ToString();
    }

    private static bool TryAppendEscape(ReadOnlySpan<char> text, ref int at, StringBuilder result)
    {
        char escape = text[at];
        if ("\n\\'\"abfnrtv".IndexOf(escape) is var simple and >= 0)
        {
            result.Append(simple == 0 ? "" : "\\'\"\a\b\f\n\r\t\v"[simple - 1].ToString());
            return true;
        }

        if (escape is >= '0' and <= '7')
        {
            int length = 1;
            while (length < 3 && at + length < text.Length && text[at + length] is >= '0' and <= '7')
                length++;
            result.Append((char)Convert.ToInt32(text.Slice(at, length).ToString(), 8));
            at += length - 1;
            return true;
        }

        int digits = escape switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits == 0)
        {
            result.Append('\\').Append(escape); // Python keeps what is no escape as it is
            return escape != 'N';
        }

        if (at + digits >= text.Length || !uint.TryParse(text.Slice(at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value) || value > 0x10FFFF)
            return false;
        if (value > 0xFFFF)
            result.Append(char.ConvertFromUtf32((int)value));
        else
            result.Append((char)value);
        at += digits;
        return true;
    }
}
