using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.MLNet.Scoring;

namespace MLNetExtension.MLNet.Transformer;

/// <summary>A row made of text columns, one of which holds a text, such as a prompt; the others are empty.</summary>
internal sealed class PromptRow : DataViewRow
{
    private readonly string _promptColumn;
    private string _prompt = "";
    private long _position = -1;

    public PromptRow(IEnumerable<string> columns, string promptColumn)
    {
        var builder = new DataViewSchema.Builder();
        foreach (string column in columns)
            builder.AddColumn(column, TextDataViewType.Instance);
        Schema = builder.ToSchema();
        _promptColumn = promptColumn;
    }

    public override DataViewSchema Schema { get; }

    public override long Position => _position;

    public override long Batch => 0;

    /// <summary>Moves to a new row with this prompt, so that rows mapped from this one compute their values again.</summary>
    public void Set(string prompt)
    {
        _prompt = prompt;
        _position++;
    }

    public override bool IsColumnActive(DataViewSchema.Column column) => true;

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = new DataViewRowId((ulong)_position, 0);

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        bool isPrompt = column.Name == _promptColumn;
        return RowValues.Typed<TValue>((ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = (isPrompt ? _prompt : "").AsMemory()), column.Name);
    }
}
