using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>A transformer that makes each of its columns from one other.</summary>
public abstract class OneToOneTransformerBase : RowToRowTransformerBase
{
    internal readonly (string outputColumnName, string inputColumnName)[] ColumnPairs;

    private protected OneToOneTransformerBase(IHost host, params (string outputColumnName, string inputColumnName)[] columns)
        : base(host)
    {
        foreach ((string output, string input) in columns)
        {
            host.CheckNonEmpty(input, nameof(columns));
            host.CheckNonEmpty(output, nameof(columns));
        }
        ColumnPairs = columns;
    }

    private protected static (string, string)[] LoadColumns(ModelLoadContext ctx) =>
        [.. Enumerable.Range(0, ctx.Reader.ReadInt32()).Select(_ => (ctx.Reader.ReadString(), ctx.Reader.ReadString()))];

    private protected void SaveColumns(ModelSaveContext ctx)
    {
        ctx.Writer.Write(ColumnPairs.Length);
        foreach ((string output, string input) in ColumnPairs)
        {
            ctx.Writer.Write(output);
            ctx.Writer.Write(input);
        }
    }

    private protected override IRowMapper MakeRowMapper(DataViewSchema schema) => new ColumnMapper([.. ColumnPairs.Select(pair =>
    {
        DataViewSchema.Column source = schema.GetColumnOrNull(pair.inputColumnName)
            ?? throw Host.ExceptSchemaMismatch("inputSchema", "input", pair.inputColumnName);
        return MakeColumn(pair.outputColumnName, source);
    })]);

    private protected abstract MappedColumn MakeColumn(string name, DataViewSchema.Column source);
}

/// <summary>An added column, the indices of those it is made from, and how to get it from a row that has them.</summary>
internal sealed record MappedColumn(DataViewSchema.DetachedColumn Output, int[] Inputs, Func<DataViewRow, Delegate> MakeGetter);

/// <summary>Adds columns; only those asked for read what they are made from.</summary>
internal sealed class ColumnMapper(MappedColumn[] columns) : IRowMapper
{
    public Func<int, bool> GetDependencies(Func<int, bool> activeOutput)
    {
        HashSet<int> inputs = [.. columns.Where((_, i) => activeOutput(i)).SelectMany(column => column.Inputs)];
        return inputs.Contains;
    }

    public Delegate[] CreateGetters(DataViewRow input, Func<int, bool> activeOutput, out Action disposer)
    {
        disposer = null;
        return [.. columns.Select((column, i) => activeOutput(i) ? column.MakeGetter(input) : null)];
    }

    public DataViewSchema.DetachedColumn[] GetOutputColumns() => [.. columns.Select(column => column.Output)];
}
