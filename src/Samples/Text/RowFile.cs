using MLNetExtension.Data;
using Samples.Errors;

namespace Samples.Text;

/// <summary>Reads the user's own rows from a file.</summary>
internal static class RowFile
{
    /// <summary>Reads a file of texts or prompts, or without one (null) the documentation of the .NET API.</summary>
    /// <exception cref="UserErrorException">The file cannot be used, or holds chats.</exception>
    public static RowSet ReadOrDocumentation(string? file, RowColumns columns)
    {
        if (file is null && columns.Order is not null)
            throw new UserErrorException("--order-by names a column of --data; the documentation of the .NET API has none.");
        if (file is null)
            return ApiDocumentation.Read(ReferencePack.Find());
        RowSet rows = Read(file, columns);
        return rows.Kind != RowKind.Chats ? rows : throw new UserErrorException($"{rows.Source} holds chats, which need a published chat model: train on them with finetune.");
    }

    /// <summary>Reads rows from .csv and .tsv (with a header), .jsonl and .ndjson (an object per line), or else plain text (a row per line). Rows without text are left out and counted.</summary>
    /// <exception cref="UserErrorException">The file or a column is missing, the file is a pipe or a device, a row is not text, or there is no row; the message names file and row.</exception>
    public static RowSet Read(string file, RowColumns columns) => Guard(file, () => Collect(file, Open(file, columns, ReadLines)));

    /// <summary>Reads rows as <see cref="Read"/> does, but plain text as one row.</summary>
    /// <exception cref="UserErrorException">As from <see cref="Read"/>.</exception>
    public static RowSet ReadWhole(string file, RowColumns columns) => Guard(file, () => Collect(file, Open(file, columns, ReadText)));

    /// <summary>Reads a file, and says in one line why that cannot be done.</summary>
    /// <exception cref="UserErrorException">The file is missing, a folder, a pipe or a device, or cannot be read.</exception>
    public static T Guard<T>(string file, Func<T> read)
    {
        if (Directory.Exists(file))
            throw new UserErrorException($"{file} is a folder, not a file.");
        if (!File.Exists(file))
            throw new UserErrorException($"{file} does not exist.");
        try
        {
            return read();
        }
        catch (InvalidDataException e)
        {
            throw new UserErrorException(e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{file} cannot be read: {e.Message}");
        }
    }

    private static IEnumerable<SourceRow> Open(string file, RowColumns columns, Func<string, IEnumerable<SourceRow>> readPlain)
    {
        switch (Path.GetExtension(file).ToLowerInvariant())
        {
            case ".csv": return DelimitedRows.Read(file, ',', columns);
            case ".tsv": return DelimitedRows.Read(file, '\t', columns);
            case ".jsonl" or ".ndjson": return JsonLinesRows.Read(file, columns);
        }
        if (columns.AnyNamed)
            throw new UserErrorException($"{file} is read as plain text, a row per line, and has no columns to choose; .csv, .tsv and .jsonl files have columns.");
        return readPlain(file);
    }

    private static IEnumerable<SourceRow> ReadLines(string file)
    {
        using StreamReader reader = StrictUtf8.Open(file);
        for (long line = 1; reader.ReadLine() is { } text; line++)
            yield return new SourceRow(RowKind.Texts, null, text, new RowPlace(file, line, line));
    }

    private static IEnumerable<SourceRow> ReadText(string file)
    {
        using StreamReader reader = StrictUtf8.Open(file);
        yield return new SourceRow(RowKind.Texts, null, reader.ReadToEnd(), new RowPlace(file, 1, 1));
    }

    private static RowSet Collect(string file, IEnumerable<SourceRow> source)
    {
        var rows = new List<Row>();
        int skipped = 0;
        RowKind kind = RowKind.Texts;
        foreach (SourceRow row in source)
        {
            kind = row.Kind;
            if ((StrictUtf8.FindFault(row.Text) ?? StrictUtf8.FindFault(row.Prompt ?? "")) is { } why)
                throw row.Place.Error(why);
            if (kind == RowKind.Chats)
                CheckChat(row);
            if (string.IsNullOrWhiteSpace(row.Text))
                skipped++;
            else
                rows.Add(new Row(row.Prompt is null ? "" : Row.TerminatePrompt(row.Prompt), row.Text) { Order = row.Order });
        }
        if (rows.Count == 0)
            throw new UserErrorException(skipped == 0 ? $"{file} is empty: it has no rows." : $"{file} has no row with text; all {skipped} are empty.");
        return new RowSet(rows, kind, Path.GetFileName(file), skipped);
    }

    private static void CheckChat(SourceRow row)
    {
        try
        {
            ChatMessages.Parse(row.Text, row.Place.Row);
        }
        catch (InvalidDataException e)
        {
            throw new UserErrorException($"{row.Place.File}: {e.Message}");
        }
    }
}

/// <summary>A row of a file; <paramref name="Prompt"/> is null for texts and chats; the text of a chat is JSON.</summary>
internal readonly record struct SourceRow(RowKind Kind, string? Prompt, string Text, RowPlace Place)
{
    /// <summary>As <see cref="Row.Order"/>.</summary>
    public double Order { get; init; } = double.NaN;
}

/// <summary>The position of a row: rows are counted from 1 without the header, lines from 1 with it.</summary>
internal readonly record struct RowPlace(string File, long Row, long Line)
{
    public UserErrorException Error(string what) => new($"{File}, row {Row}{(Line == Row ? "" : $" (line {Line})")} {what}.");
}
