using System.Text;

namespace Microsoft.ML.Data;

/// <summary>The rows of a text file as lines of text: without header, comments and blank lines; a quoted field may span lines.</summary>
internal static class TextLines
{
    public static IEnumerable<(long Line, string Text)> Read(string path, TextLoader.Options options)
    {
        long left = options.MaxRows ?? long.MaxValue;
        if (left == 0)
            yield break;
        using StreamReader reader = new(path);
        bool isFirst = true;
        long line = 0;
        while (Next(reader, options, ++line, isFirst) is string text)
        {
            // A hash marks a comment only before the first line, where a saved file describes its columns.
            if (text.Length == 0 || text.StartsWith("//", StringComparison.Ordinal) || (isFirst && text[0] == '#'))
                continue;
            bool isHeader = isFirst && options.HasHeader;
            isFirst = false;
            if (isHeader)
                continue;
            yield return (line, text);
            if (--left == 0)
                yield break;
        }
    }

    private static string Next(StreamReader reader, TextLoader.Options options, long line, bool isFirst)
    {
        string text = reader.ReadLine();
        if (!options.AllowQuoting || !options.ReadMultilines || string.IsNullOrEmpty(text)
            || text.StartsWith("//", StringComparison.Ordinal) || (isFirst && text[0] == '#'))
            return text;
        if (!EndsInsideQuotes(text, options, inside: false))
            return text;
        StringBuilder lines = new(text);
        do
        {
            text = reader.ReadLine() ?? throw new EndOfStreamException(
                $"A quoted field opened on line {line - 1} was never closed, and we've read to the last line in the file without finding the closing quote");
            lines.Append('\n').Append(text);
        }
        while (EndsInsideQuotes(text, options, inside: true));
        return lines.ToString();
    }

    private static bool EndsInsideQuotes(string line, TextLoader.Options options, bool inside)
    {
        int at = 0;
        while (true)
        {
            if (!inside)
            {
                at = SkipSpaces(at);
                if (at >= line.Length)
                    return false;
                inside = line[at] == '"';
                if (inside)
                    at++;
            }
            if (inside)
            {
                for (; ; at++)
                {
                    if (at >= line.Length)
                        return true;
                    bool isQuote = line[at] == '"';
                    if (line[at] == options.EscapeChar && (!isQuote || (at + 1 < line.Length && line[at + 1] == '"')))
                        at++;
                    else if (isQuote)
                        break;
                }
                inside = false;
                at = SkipSpaces(at + 1);
                if (at < line.Length && !options.Separators.Contains(line[at]))
                    return false;
            }
            while (at < line.Length && !options.Separators.Contains(line[at]))
                at++;
            at++;
        }

        int SkipSpaces(int from)
        {
            while (!options.Separators.Contains(' ') && from < line.Length && line[from] == ' ')
                from++;
            return from;
        }
    }
}
