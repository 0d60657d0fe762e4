using System.Globalization;
using CsvHelper;
using CsvHelper.Configuration;

namespace Samples.Text;

/// <summary>A comma- or tab-separated file with a header; quoted fields may span lines.</summary>
internal static class DelimitedRows
{
    public static IEnumerable<SourceRow> Read(string file, string delimiter, RowColumns columns)
    {
        long row = 0;
        CsvParser? current = null;
        var configuration = new CsvConfiguration(CultureInfo.InvariantCulture)
        {
            Delimiter = delimiter,
            IgnoreBlankLines = true,
            BadDataFound = _ => throw Place().Error("has a quotation mark inside a field that is not quoted, or a quoted field that does not end"),
        };
        using StreamReader reader = MarkedUtf8.Open(file);
        using var parser = new CsvParser(reader, configuration);
        current = parser;

        if (!parser.Read())
            yield break;
        string[] header = parser.Record!;
        if (header.Select(MarkedUtf8.WhyNotText).FirstOrDefault(why => why is not null) is { } notText)
            throw new UserErrorException($"{file}, header (line 1) {notText}.");
        ChosenColumns chosen = columns.Choose(header, file);
        int prompt = chosen.Prompt is null ? -1 : Array.IndexOf(header, chosen.Prompt), completion = Array.IndexOf(header, chosen.Completion);

        while (true)
        {
            row++;
            if (!parser.Read())
                yield break;
            string[] fields = parser.Record!;
            if (fields.Length != header.Length)
                throw Place().Error($"has {fields.Length} {(fields.Length == 1 ? "field" : "fields")}, the header has {header.Length}");
            yield return new SourceRow(prompt < 0 ? null : fields[prompt], fields[completion], Place());
        }

        RowPlace Place() => new(file, row, current!.RawRow);
    }
}
