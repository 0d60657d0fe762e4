using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.MLNet.Transformer;

/// <summary>Does to a text what the transformers before a language model do to one of its columns. One thread at a time.</summary>
internal sealed class PipelineText
{
    private readonly PromptRow? _row;
    private readonly ValueGetter<ReadOnlyMemory<char>>? _prepared;

    private PipelineText(PromptRow? row, ValueGetter<ReadOnlyMemory<char>>? prepared) => (_row, _prepared) = (row, prepared);

    /// <summary>Makes it for a column.</summary>
    /// <param name="chain">The model and what stands before it.</param>
    /// <param name="column">The column of the model; null where texts stay as they are: rows of token ids and chats have no text that a transformer could be applied to.</param>
    /// <exception cref="InvalidOperationException">A transformer needs columns other than the model's own text columns.</exception>
    public static PipelineText Create(LanguageModelChain chain, string? column)
    {
        if (column is null)
            return new PipelineText(null, null);
        var row = new PromptRow(chain.Model.InputColumnNames, column);
        return new PipelineText(row, Prepare(row, chain.Before, column));
    }

    /// <summary>Applies the transformers to a text.</summary>
    public string Apply(string text)
    {
        if (_row is null)
            return text;
        _row.Set(text);
        ReadOnlyMemory<char> prepared = default;
        _prepared!(ref prepared);
        return prepared.ToString();
    }

    private static ValueGetter<ReadOnlyMemory<char>> Prepare(PromptRow row, IReadOnlyList<ITransformer> transformers, string column)
    {
        var mappers = new List<IRowToRowMapper>();
        var schema = row.Schema;
        foreach (var transformer in transformers)
        {
            mappers.Add(Bind(transformer, schema, column));
            schema = mappers[^1].OutputSchema;
        }

        // Which columns each transformer must give is known from the last one backwards.
        var needed = new Stack<IEnumerable<DataViewSchema.Column>>([[schema[column]]]);
        for (int i = mappers.Count - 1; i > 0; i--)
            needed.Push([.. mappers[i].GetDependencies(needed.Peek())]);
        DataViewRow prepared = row;
        foreach (var mapper in mappers)
            prepared = mapper.GetRow(prepared, needed.Pop());
        return prepared.GetGetter<ReadOnlyMemory<char>>(prepared.Schema[column]);
    }

    private static IRowToRowMapper Bind(ITransformer transformer, DataViewSchema schema, string column)
    {
        try
        {
            return transformer.GetRowToRowMapper(schema);
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException or NotSupportedException)
        {
            throw new InvalidOperationException($"{transformer.GetType().Name}, which stands before the language model, cannot be applied to a text "
                + $"alone (column '{column}'): {exception.Message}", exception);
        }
    }
}
