namespace Microsoft.ML.Data;

/// <summary>The rows of a text file as lines of text: without header, comments and blank lines; a quoted field may span lines.</summary>
internal static class TextLines
{
    public static IEnumerable<(long Line, string Text)> Read(string path, TextLoader.Options options)
    {
        using StreamReader reader = new(path);
        bool isFirst = true;
        long left = options.MaxRows ?? long.MaxValue;
        for (long line = 1; left > 0 && reader.ReadLine() is string text; line++)
        {
            // A hash marks a comment only before the first line, where a saved file describes its columns.
            if (text.Length == 0 || text.StartsWith("//", StringComparison.Ordinal) || (isFirst && text[0] == '#'))
                continue;
            while (options.AllowQuoting && options.ReadMultilines && EndsInsideQuotes(text, options))
            {
                text += '\n' + (reader.ReadLine() ?? throw new EndOfStreamException(
                    $"A quoted field opened on line {line - 1} was never closed, and we've read to the last line in the file without finding the closing quote"));
            }
            if (!isFirst || !options.HasHeader)
            {
                yield return (line, text);
                left--;
            }
            isFirst = false;
        }
    }

    private static bool EndsInsideQuotes(string text, TextLoader.Options options)
    {
        bool inside = false, atStart = true;
        for (int at = 0; at < text.Length; at++)
        {
            bool isSeparator = options.Separators.Contains(text[at]);
            if (inside && text[at] == '"')
            {
                // A doubled quote stands for one.
                inside = at + 1 < text.Length && text[at + 1] == '"';
                at += inside ? 1 : 0;
            }
            else if (!inside)
            {
                inside = atStart && text[at] == '"';
                atStart = isSeparator || (atStart && text[at] == ' ');
            }
        }
        return inside;
    }
}
