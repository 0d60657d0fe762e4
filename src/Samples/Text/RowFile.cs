using MLNetExtension.Data;
using Samples.Errors;

namespace Samples.Text;

/// <summary>Reads the user's own rows from a file.</summary>
internal static class RowFile
{
    /// <summary>Reads a file of texts or prompts, or without one the documentation of the .NET API.</summary>
    /// <param name="file">The file; null for the documentation.</param>
    /// <param name="columns">The columns that the user named.</param>
    /// <exception cref="UserErrorException">The file cannot be used, or holds chats.</exception>
    public static RowSet ReadOrDocumentation(string? file, RowColumns columns)
    {
        if (file is null)
            return ApiDocumentation.Read(ReferencePack.Find());
        RowSet rows = Read(file, columns);
        return rows.Kind != RowKind.Chats ? rows : throw new UserErrorException($"{rows.Source} holds chats, which need a published chat model: train on them with finetune.");
    }

    /// <summary>Reads rows from plain text (a row per line), .csv and .tsv (with a header), or .jsonl (an object per line).</summary>
    /// <remarks>Rows without text are left out and counted.</remarks>
    /// <param name="file">The file; its extension decides the format: .csv, .tsv, .jsonl, .ndjson, or else plain text.</param>
    /// <param name="columns">The columns that the user named.</param>
    /// <exception cref="UserErrorException">The file or a column is missing, a row is not text, or there is no row; the message names file and row.</exception>
    public static RowSet Read(string file, RowColumns columns)
    {
        if (Directory.Exists(file))
            throw new UserErrorException($"{file} is a folder, not a file.");
        if (!File.Exists(file))
            throw new UserErrorException($"{file} does not exist.");
        try
        {
            return Collect(file, Open(file, columns));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{file} cannot be read: {e.Message}");
        }
    }

    private static IEnumerable<SourceRow> Open(string file, RowColumns columns)
    {
        switch (Path.GetExtension(file).ToLowerInvariant())
        {
            case ".csv": return DelimitedRows.Read(file, ',', columns);
            case ".tsv": return DelimitedRows.Read(file, '\t', columns);
            case ".jsonl" or ".ndjson": return JsonLinesRows.Read(file, columns);
        }
        if (columns.AnyNamed)
            throw new UserErrorException($"{file} is read as plain text, a row per line, and has no columns to choose; .csv, .tsv and .jsonl files have columns.");
        return PlainTextRows.Read(file);
    }

    private static RowSet Collect(string file, IEnumerable<SourceRow> source)
    {
        var rows = new List<Row>();
        int skipped = 0;
        RowKind kind = RowKind.Texts;
        foreach (SourceRow row in source)
        {
            foreach (string? part in (string?[])[row.Prompt, row.Text])
                if (part is not null && StrictUtf8.FindFault(part) is { } why)
                    throw row.Place.Error(why);
            kind = row.IsChat ? RowKind.Chats : row.Prompt is not null ? RowKind.Prompts : RowKind.Texts;
            if (row.IsChat)
                CheckChat(row);
            if (string.IsNullOrWhiteSpace(row.Text))
                skipped++;
            else
                rows.Add(new Row(row.Prompt is null ? "" : PromptFormat.Terminate(row.Prompt), row.Text));
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

/// <summary>A row of a file; <paramref name="Prompt"/> is null if the format or the chosen columns have none; the text of a chat is JSON.</summary>
internal readonly record struct SourceRow(string? Prompt, string Text, RowPlace Place, bool IsChat = false);

/// <summary>The position of a row: rows are counted from 1 without the header, lines from 1 with it.</summary>
internal readonly record struct RowPlace(string File, long Row, long Line)
{
    public UserErrorException Error(string what) => new($"{File}, row {Row}{(Line == Row ? "" : $" (line {Line})")} {what}.");
}
