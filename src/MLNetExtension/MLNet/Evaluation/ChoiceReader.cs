using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.MLNet.Schema;

namespace MLNetExtension.MLNet.Evaluation;

/// <summary>A question with several answers, of which one is right.</summary>
/// <param name="Position">Its row of the data, from 0.</param>
/// <param name="Question">The question.</param>
/// <param name="Options">The answers, none of them empty.</param>
/// <param name="Answer">The index of the right one.</param>
internal sealed record ChoiceRow(long Position, string Question, IReadOnlyList<string> Options, int Answer);

/// <summary>The names of the columns of a multiple-choice evaluation.</summary>
internal sealed record ChoiceColumns(string Question, string Options, string Answer);

/// <summary>Reads and checks the rows of a multiple-choice evaluation.</summary>
/// <param name="columns">Where they are.</param>
internal sealed class ChoiceReader(ChoiceColumns columns)
{
    /// <summary>Reads the rows, one by one.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="InvalidDataException">A row has no option, an empty one, or an answer that is none of them.</exception>
    public IEnumerable<ChoiceRow> Read(IDataView data)
    {
        var questionColumn = InputSchema.Find(data.Schema, nameof(data), "question", columns.Question, TextDataViewType.Instance);
        var optionsColumn = InputSchema.Find(data.Schema, nameof(data), "options", columns.Options, new VectorDataViewType(TextDataViewType.Instance));
        var answerColumn = InputSchema.FindIndex(data.Schema, nameof(data), "answer", columns.Answer);
        using var cursor = data.GetRowCursor([questionColumn, optionsColumn, answerColumn]);
        var question = cursor.GetGetter<ReadOnlyMemory<char>>(questionColumn);
        var options = cursor.GetGetter<VBuffer<ReadOnlyMemory<char>>>(optionsColumn);
        Func<double> answer = IndexReader(cursor, answerColumn);
        ReadOnlyMemory<char> text = default;
        VBuffer<ReadOnlyMemory<char>> texts = default;
        while (cursor.MoveNext())
        {
            question(ref text);
            options(ref texts);
            string[] all = [.. texts.DenseValues().Select(option => option.ToString())];
            yield return new ChoiceRow(cursor.Position, text.ToString(), all, Check(cursor.Position, all, answer()));
        }
    }

    private int Check(long position, string[] options, double answer)
    {
        if (options.Length == 0)
            throw Error($"Row {position} has no options (column '{columns.Options}').");
        if (Array.IndexOf(options, "") is >= 0 and int empty)
            throw Error($"Row {position}: option {empty} of column '{columns.Options}' is empty.");
        if (answer >= 0 && answer < options.Length && answer == Math.Floor(answer))
            return (int)answer;
        string found = double.IsNaN(answer) ? "missing" : string.Create(CultureInfo.InvariantCulture, $"{answer}");
        throw Error($"Row {position}: the answer in column '{columns.Answer}' is {found}; with {options.Length} options allowed is a whole number from 0 to {options.Length - 1}.");
    }

    private static InvalidDataException Error(FormattableString message) => new(FormattableString.Invariant(message));

    // The values of a key begin at 1, and 0 is one that is missing.
    private static Func<double> IndexReader(DataViewRow row, DataViewSchema.Column column)
    {
        Func<double> number = NumberColumn.Reader(row, column);
        return column.Type is not KeyDataViewType ? number : () => number() is > 0 and double key ? key - 1 : double.NaN;
    }
}
