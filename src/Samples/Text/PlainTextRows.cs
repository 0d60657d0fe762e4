namespace Samples.Text;

/// <summary>A text file: every line is a row.</summary>
internal static class PlainTextRows
{
    public static IEnumerable<SourceRow> Read(string file)
    {
        using StreamReader reader = StrictUtf8.Open(file);
        for (long line = 1; reader.ReadLine() is { } text; line++)
            yield return new SourceRow(null, text, new RowPlace(file, line, line));
    }
}
