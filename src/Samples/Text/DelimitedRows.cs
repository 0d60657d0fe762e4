using System.Globalization;
using CsvHelper;
using Samples.Errors;

namespace Samples.Text;

/// <summary>A comma- or tab-separated file with a header; quoted fields may span lines, and a quotation mark inside an unquoted field is text.</summary>
internal static class DelimitedRows
{
    public static IEnumerable<SourceRow> Read(string file, char separator, RowColumns columns)
    {
        CsvMalformedRecord? malformed = null;
        var options = new CsvReaderOptions
        {
            Separator = separator,
            TrackLineNumbers = true,
            OnMalformedRecord = record => malformed ??= record.Reason == CsvMalformedReason.StrayQuote ? null : record,
        };
        using CsvReader reader = CsvReader.Create(StrictUtf8.Open(file), options);

        string[] header = [.. reader.Headers];
        RequireWellFormed();
        if (header.Length == 0)
            yield break;
        if (header.Select(StrictUtf8.FindFault).FirstOrDefault(why => why is not null) is { } notText)
            throw new UserErrorException($"{file}, header (line 1) {notText}.");
        ChosenColumns chosen = columns.Choose(header, file);
        int prompt = Array.IndexOf(header, chosen.Prompt), text = Array.IndexOf(header, chosen.Text), order = Array.IndexOf(header, chosen.Order);

        while (reader.Read())
        {
            RequireWellFormed();
            var place = new RowPlace(file, reader.RowNumber, reader.LineNumber);
            if (reader.FieldCount != header.Length)
                throw place.Error($"has {reader.FieldCount} {(reader.FieldCount == 1 ? "field" : "fields")}, the header has {header.Length}");
            yield return new SourceRow(chosen.Kind, prompt < 0 ? null : reader.GetString(prompt), reader.GetString(text), place) { Order = order < 0 ? double.NaN : GetNumber(reader.GetString(order), chosen.Order!, place) };
        }

        static double GetNumber(string field, string name, RowPlace place) =>
            double.TryParse(field, CultureInfo.InvariantCulture, out double number) && !double.IsNaN(number) ? number : throw place.Error($"has '{field}' in '{name}' where a number is expected");

        void RequireWellFormed()
        {
            if (malformed is not { } record)
                return;
            string what = record.Reason == CsvMalformedReason.UnterminatedQuote ? "begins a quoted field that never ends" : "has text behind the closing quotation mark of a field";
            throw record.RecordNumber <= 1 ? new UserErrorException($"{file}, header (line 1) {what}.") : new RowPlace(file, record.RecordNumber - 1, record.LineNumber).Error(what);
        }
    }
}
