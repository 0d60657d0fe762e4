using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Row mappers one after another, each given only the columns that the next needs.</summary>
internal sealed class CompositeRowToRowMapper(DataViewSchema inputSchema, IReadOnlyList<IRowToRowMapper> mappers) : IRowToRowMapper, IDisposable
{
    private bool _disposed;
    public DataViewSchema InputSchema { get; } = inputSchema;
    public DataViewSchema OutputSchema { get; } = mappers.Count == 0 ? inputSchema : mappers[^1].OutputSchema;

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        mappers.Reverse().Aggregate(dependingColumns, (columns, mapper) => mapper.GetDependencies(columns));

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        Contracts.CheckValue(input, nameof(input));
        Contracts.CheckValue(activeColumns, nameof(activeColumns));
        Contracts.CheckParam(input.Schema == InputSchema, nameof(input), "Schema did not match original schema");
        HashSet<int> active = [.. activeColumns.Select(c => c.Index)];
        if (mappers.Count == 0)
        {
            foreach (DataViewSchema.Column column in InputSchema.Where(c => active.Contains(c.Index) && !input.IsColumnActive(c)))
                throw Contracts.ExceptParam(nameof(input), $"Mapper required column '{column.Name}' active but it was not.");
            return input;
        }
        Stack<IEnumerable<DataViewSchema.Column>> needed = new([OutputSchema.Where(c => active.Contains(c.Index))]);
        for (int i = mappers.Count - 1; i > 0; i--)
            needed.Push(mappers[i].GetDependencies(needed.Peek()));
        return mappers.Aggregate(input, (row, mapper) => mapper.GetRow(row, needed.Pop()));
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        foreach (IRowToRowMapper mapper in mappers)
            (mapper as IDisposable)?.Dispose();
        _disposed = true;
    }
}
