using System.Text.Json;
using Samples.Errors;

namespace Samples.Text;

/// <summary>A question with several answers.</summary>
public sealed class ChoiceRow
{
    /// <summary>All that the model reads before an option.</summary>
    public required string Question { get; init; }

    /// <summary>The answers.</summary>
    public required string[] Options { get; init; }

    /// <summary>The index of the right one, from 0.</summary>
    public required int Answer { get; init; }
}

/// <summary>Reads multiple-choice questions: a file with an object of question, options and answer in every line.</summary>
internal static class ChoiceRows
{
    /// <summary>Reads and checks all of them.</summary>
    /// <exception cref="UserErrorException">The file cannot be read, has no row, or one that is no such question; the message names file and row.</exception>
    public static IReadOnlyList<ChoiceRow> Read(string file)
    {
        List<ChoiceRow> rows = RowFile.Guard(file, () => JsonLinesRows.ReadObjects(file).Select(row => Parse(row.Object, row.Place)).ToList());
        return rows.Count > 0 ? rows : throw new UserErrorException($"{file} is empty: it has no rows.");
    }

    private static ChoiceRow Parse(JsonElement row, RowPlace place)
    {
        string question = JsonLinesRows.GetText(row, "question", place);
        if (!row.TryGetProperty("options", out JsonElement list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
            throw place.Error("has no list of texts in 'options'");
        string[] options = [.. list.EnumerateArray().Select(option => JsonLinesRows.GetTextOf(option, "options", place))];
        if (options.Contains(""))
            throw place.Error("has an empty text in 'options'");
        if (row.TryGetProperty("answer", out JsonElement answer) && answer.ValueKind == JsonValueKind.Number && answer.TryGetInt32(out int index) && index >= 0 && index < options.Length)
            return new ChoiceRow { Question = question, Options = options, Answer = index };
        string found = answer.ValueKind == JsonValueKind.Undefined ? "no 'answer'" : $"the answer {answer.GetRawText()}";
        throw place.Error($"has {found}; expected is the index of an option, from 0 to {options.Length - 1}");
    }
}
