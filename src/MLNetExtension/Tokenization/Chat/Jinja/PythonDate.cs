using System.Globalization;
using System.Text;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Writes dates as C's <c>strftime</c> does, in English.</summary>
internal static class PythonDate
{
    /// <summary>Fills in the directives of a format, such as <c>%d %b %Y</c>; a hyphen drops zeros in front: <c>%-d</c>.</summary>
    public static string Format(DateTimeOffset time, string format, RenderBudget budget)
    {
        var result = new StringBuilder();
        for (int at = 0; at < format.Length; at++)
        {
            budget.Step();
            if (format[at] != '%' || at + 1 == format.Length)
            {
                result.Append(format[at]);
                continue;
            }

            bool isShort = format[at + 1] == '-' && at + 2 < format.Length;
            at += isShort ? 2 : 1;
            string value = Directive(time, format[at]);
            result.Append(isShort && value.TrimStart('0') is { Length: > 0 } trimmed ? trimmed : value);
        }

        return result.ToString();
    }

    private static string Directive(DateTimeOffset time, char directive)
    {
        string? format = directive switch
        {
            'a' => "ddd",
            'A' => "dddd",
            'b' or 'h' => "MMM",
            'B' => "MMMM",
            'd' => "dd",
            'D' => "MM'/'dd'/'yy",
            'F' => "yyyy'-'MM'-'dd",
            'H' => "HH",
            'I' => "hh",
            'm' => "MM",
            'M' => "mm",
            'p' => "tt",
            'R' => "HH':'mm",
            'S' => "ss",
            'T' or 'X' => "HH':'mm':'ss",
            'x' => "MM'/'dd'/'yy",
            'y' => "yy",
            'Y' => "yyyy",
            _ => null,
        };
        return directive switch
        {
            _ when format is not null => time.ToString(format, CultureInfo.InvariantCulture),
            'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
            'f' => time.ToString("ffffff", CultureInfo.InvariantCulture),
            'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
            'w' => ((int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
            'u' => (time.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
            'z' or 'Z' => "", // Python's now() knows no time zone
            '%' => "%",
            'n' => "\n",
            't' => "\t",
            _ => throw new JinjaException($"the directive '%{Files.Excerpt.Of(directive.ToString())}' of 'strftime_now' is not supported", JinjaFault.NotSupported),
        };
    }
}
