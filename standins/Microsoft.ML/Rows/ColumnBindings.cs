namespace Microsoft.ML.Data;

/// <summary>A schema with columns added: each right after the last of its name, which it hides, or else at the end.</summary>
internal sealed class ColumnBindings
{
    // Column of the new schema: an input column's index, or the complement of an added column's.
    private readonly List<int> _sources = [];

    public ColumnBindings(DataViewSchema input, DataViewSchema.DetachedColumn[] added)
    {
        InputSchema = input;
        _sources.AddRange(Enumerable.Range(0, input.Count));
        for (int i = 0; i < added.Length; i++)
        {
            int last = _sources.FindLastIndex(s => NameOf(s) == added[i].Name);
            _sources.Insert(last < 0 ? _sources.Count : last + 1, ~i);
        }
        DataViewSchema.Builder builder = new();
        builder.AddColumns(_sources.Select(s => s < 0 ? added[~s] : new(input[s])));
        Schema = builder.ToSchema();
        AddedColumnIndices = [.. added.Select((_, i) => _sources.IndexOf(~i))];

        string NameOf(int source) => source < 0 ? added[~source].Name : input[source].Name;
    }

    public DataViewSchema InputSchema { get; }
    public DataViewSchema Schema { get; }
    public IReadOnlyList<int> AddedColumnIndices { get; }

    /// <summary>The index among the input's columns, or among the added.</summary>
    public int Map(int column, out bool isSource)
    {
        int source = _sources[column];
        isSource = source >= 0;
        return isSource ? source : ~source;
    }
}
