using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

/// <summary>An estimator of an outside assembly: learns the mean of "Value", its transformer adds "Scaled", the value over that mean.</summary>
internal sealed class CoreScaler : IEstimator<CoreScalerTransformer>
{
    public int Fits { get; private set; }

    public CoreScalerTransformer Fit(IDataView input)
    {
        Fits++;
        return new CoreScalerTransformer(input.GetColumn<float>("Value").Average());
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        if (!inputSchema.Any(column => column.Name == "Value"))
            throw new ArgumentOutOfRangeException(nameof(inputSchema), "Could not find input column 'Value'");
        SchemaShape.Column scaled = CoreModelBridge.ShapeColumn("Scaled", SchemaShape.Column.VectorKind.Scalar, NumberDataViewType.Single, false, null);
        return new SchemaShape(inputSchema.Append(scaled));
    }
}

internal sealed class CoreScalerTransformer(float mean) : ITransformer, IDisposable
{
    /// <summary>The environments that models were loaded in.</summary>
    public static List<IHostEnvironment> Environments { get; } = [];

    public float Mean { get; } = mean;

    public int Computed { get; set; }

    public int RowsDisposed { get; set; }

    public int TimesDisposed { get; private set; }

    public bool IsRowToRowMapper => true;

    public static ITransformer Create(IHostEnvironment environment, object loadContext)
    {
        float mean = float.NaN;
        if (!CoreModelBridge.TryLoadBinaryStream(loadContext, "mean.bin", reader => mean = reader.ReadSingle()))
            throw new InvalidDataException("mean.bin is missing");
        Assert.IsFalse(CoreModelBridge.TryLoadBinaryStream(loadContext, "absent.bin", _ => Assert.Fail("There is no such stream.")));
        Environments.Add(environment);
        return new CoreScalerTransformer(mean);
    }

    public void Save(ModelSaveContext ctx)
    {
        CoreModelBridge.SetVersionInfo(ctx, "CORESCAL", typeof(CoreScalerTransformer));
        CoreModelBridge.SaveBinaryStream(ctx, "mean.bin", writer => writer.Write(Mean));
    }

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        if (inputSchema.GetColumnOrNull("Value") is null)
            throw new ArgumentOutOfRangeException(nameof(inputSchema), "Could not find input column 'Value'");
        DataViewSchema.Builder builder = new();
        builder.AddColumns(inputSchema);
        builder.AddColumn("Scaled", NumberDataViewType.Single);
        return builder.ToSchema();
    }

    public IDataView Transform(IDataView input) => new View(input, new Mapper(this, input.Schema));

    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => new Mapper(this, inputSchema);

    public void Dispose() => TimesDisposed++;

    private sealed class Mapper(CoreScalerTransformer parent, DataViewSchema inputSchema) : IRowToRowMapper
    {
        public DataViewSchema InputSchema { get; } = inputSchema;

        public DataViewSchema OutputSchema { get; } = parent.GetOutputSchema(inputSchema);

        public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
        {
            HashSet<string> names = [.. dependingColumns.Select(column => column.Name == "Scaled" ? "Value" : column.Name)];
            return InputSchema.Where(column => names.Contains(column.Name));
        }

        public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns) =>
            new Row(parent, OutputSchema, input, activeColumns.Any(column => column.Name == "Scaled"));
    }

    private sealed class Row(CoreScalerTransformer parent, DataViewSchema schema, DataViewRow input, bool active) : DataViewRow
    {
        public override long Position => input.Position;

        public override long Batch => input.Batch;

        public override DataViewSchema Schema { get; } = schema;

        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

        public override bool IsColumnActive(DataViewSchema.Column column) => column.Name == "Scaled" ? active : input.IsColumnActive(input.Schema[column.Index]);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            if (column.Name != "Scaled")
                return input.GetGetter<TValue>(input.Schema[column.Index]);
            ValueGetter<float> source = input.GetGetter<float>(input.Schema["Value"]);
            ValueGetter<float> scaled = (ref value) =>
            {
                source(ref value);
                value /= parent.Mean;
                parent.Computed++;
            };
            return (ValueGetter<TValue>)(Delegate)scaled;
        }

        protected override void Dispose(bool disposing)
        {
            parent.RowsDisposed++;
            input.Dispose();
        }
    }

    private sealed class View(IDataView input, IRowToRowMapper mapper) : IDataView
    {
        public bool CanShuffle => input.CanShuffle;

        public DataViewSchema Schema => mapper.OutputSchema;

        public long? GetRowCount() => input.GetRowCount();

        public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
        {
            DataViewRowCursor cursor = input.GetRowCursor(mapper.GetDependencies(columnsNeeded), rand);
            return new Cursor(cursor, mapper.GetRow(cursor, columnsNeeded));
        }

        public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
            [GetRowCursor(columnsNeeded, rand)];
    }

    private sealed class Cursor(DataViewRowCursor input, DataViewRow row) : DataViewRowCursor
    {
        public override long Position => input.Position;

        public override long Batch => input.Batch;

        public override DataViewSchema Schema => row.Schema;

        public override bool MoveNext() => input.MoveNext();

        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

        public override bool IsColumnActive(DataViewSchema.Column column) => row.IsColumnActive(column);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => row.GetGetter<TValue>(column);

        protected override void Dispose(bool disposing) => row.Dispose();
    }
}
