using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>Making data views and reading them back; operations on rows are in the other part of this class.</summary>
public sealed partial class DataOperationsCatalog : IInternalCatalog
{
    private readonly IHostEnvironment _env;
    internal DataOperationsCatalog(IHostEnvironment env) => _env = env;
    IHostEnvironment IInternalCatalog.Environment => _env;

    public IDataView LoadFromEnumerable<TRow>(IEnumerable<TRow> data, SchemaDefinition schemaDefinition = null)
        where TRow : class
    {
        _env.CheckValue(data, nameof(data));
        return new StreamingDataView<TRow>(_env, data, schemaDefinition);
    }

    public IDataView LoadFromEnumerable<TRow>(IEnumerable<TRow> data, DataViewSchema schema)
        where TRow : class
    {
        _env.CheckValue(data, nameof(data));
        _env.CheckValue(schema, nameof(schema));
        return new StreamingDataView<TRow>(_env, data, DefinitionOf<TRow>(_env, schema));
    }

    public IEnumerable<TRow> CreateEnumerable<TRow>(IDataView data, bool reuseRowObject, bool ignoreMissingColumns = false,
        SchemaDefinition schemaDefinition = null)
        where TRow : class, new()
    {
        _env.CheckValue(data, nameof(data));
        return Read(data, new ObjectReader<TRow>(_env, data.Schema, ignoreMissingColumns, schemaDefinition), reuseRowObject);
    }

    public IDataView Cache(IDataView input, params string[] columnsToPrefetch)
    {
        _env.CheckValue(input, nameof(input));
        int[] prefetch = [.. (columnsToPrefetch ?? []).Select(name => input.Schema.GetColumnOrNull(name)?.Index
            ?? throw _env.ExceptSchemaMismatch(nameof(columnsToPrefetch), "prefetch", name))];
        return new CacheDataView(_env, input, prefetch);
    }

    /// <summary>The members of a class with the types of a schema, which may say more: how long a vector is.</summary>
    internal static SchemaDefinition DefinitionOf<TRow>(IHostEnvironment env, DataViewSchema schema)
    {
        SchemaDefinition definition = SchemaDefinition.Create(typeof(TRow), SchemaDefinition.Direction.Read);
        foreach (DataViewSchema.Column column in schema)
        {
            SchemaDefinition.Column member = definition[column.Name] ?? throw env.Except($"Type should contain a member named {column.Name}");
            member.ColumnType = column.Type;
            member.Annotations = column.Annotations;
        }
        return definition;
    }

    private static IEnumerable<TRow> Read<TRow>(IDataView data, ObjectReader<TRow> reader, bool reuseRowObject)
        where TRow : class, new()
    {
        using DataViewRowCursor cursor = data.GetRowCursor(reader.Dependencies);
        Action<TRow> fill = reader.Bind(cursor);
        TRow row = null;
        while (cursor.MoveNext())
        {
            row = reuseRowObject && row != null ? row : new TRow();
            fill(row);
            yield return row;
        }
    }
}
