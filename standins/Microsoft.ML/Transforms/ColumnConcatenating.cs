using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(typeof(ColumnConcatenatingTransformer), typeof(ColumnConcatenatingTransformer), null, typeof(SignatureLoadModel),
    ColumnConcatenatingTransformer.LoaderSignature)]

namespace Microsoft.ML.Transforms
{
    public sealed class ColumnConcatenatingEstimator : IEstimator<ColumnConcatenatingTransformer>
    {
        private readonly IHost _host;
        private readonly string _name;
        private readonly string[] _sources;

        internal ColumnConcatenatingEstimator(IHostEnvironment env, string outputColumnName, string[] inputColumnNames)
        {
            _host = env.Register(nameof(ColumnConcatenatingEstimator));
            _host.CheckNonEmpty(outputColumnName, nameof(outputColumnName));
            _host.CheckValue(inputColumnNames, nameof(inputColumnNames));
            _host.CheckParam(inputColumnNames.Length > 0, nameof(inputColumnNames), "Input columns not specified");
            _host.CheckParam(!inputColumnNames.Any(string.IsNullOrEmpty), nameof(inputColumnNames), "Contained some null or empty items");
            _name = outputColumnName;
            _sources = inputColumnNames;
        }

        public ColumnConcatenatingTransformer Fit(IDataView input)
        {
            _host.CheckValue(input, nameof(input));
            return new ColumnConcatenatingTransformer(_host, _name, _sources);
        }

        public SchemaShape GetOutputSchema(SchemaShape inputSchema) =>
            inputSchema.Through(new ColumnConcatenatingTransformer(_host, _name, _sources));
    }
}

namespace Microsoft.ML.Data
{
    /// <summary>Scalars and vectors of one item type, one after the other.</summary>
    public sealed class ColumnConcatenatingTransformer : RowToRowTransformerBase
    {
        internal const string LoaderSignature = "ConcatTransform";

        private readonly string _name;
        private readonly string[] _sources;

        internal ColumnConcatenatingTransformer(IHostEnvironment env, string outputColumnName, string[] inputColumnNames)
            : base(env.Register(nameof(ColumnConcatenatingTransformer)))
        {
            _name = outputColumnName;
            _sources = inputColumnNames;
        }

        private static VersionInfo Version =>
            new("CONCAT F", 0x00010003, 0x00010003, 0x00010003, typeof(ColumnConcatenatingTransformer).Assembly.FullName, LoaderSignature);

        internal static ColumnConcatenatingTransformer Create(IHostEnvironment env, ModelLoadContext ctx)
        {
            ctx.CheckAtModel(Version);
            string name = ctx.Reader.ReadString();
            return new ColumnConcatenatingTransformer(env, name, [.. Enumerable.Range(0, ctx.Reader.ReadInt32()).Select(_ => ctx.Reader.ReadString())]);
        }

        private protected override void SaveModel(ModelSaveContext ctx)
        {
            ctx.SetVersionInfo(Version);
            ctx.Writer.Write(_name);
            ctx.Writer.Write(_sources.Length);
            foreach (string source in _sources)
                ctx.Writer.Write(source);
        }

        private protected override IRowMapper MakeRowMapper(DataViewSchema schema)
        {
            DataViewSchema.Column[] sources =
                [.. _sources.Select(name => schema.GetColumnOrNull(name) ?? throw Host.ExceptSchemaMismatch("inputSchema", "input", name))];
            DataViewType itemType = ItemOf(sources[0].Type);
            if (sources.FirstOrDefault(source => !ItemOf(source.Type).Equals(itemType)) is { Name: not null } other)
                throw Host.ExceptSchemaMismatch("inputSchema", "input", other.Name, itemType.ToString(), other.Type.ToString());

            int[] inputs = [.. sources.Select(source => source.Index)];
            if (sources is [{ Type: VectorDataViewType } only])
                return new ColumnMapper([new(new(_name, only.Type, only.Annotations), inputs, row => RowCursorUtils.GetGetterAsDelegate(row, only.Index))]);

            int[] sizes = [.. sources.Select(source => (source.Type as VectorDataViewType)?.Size ?? 1)];
            VectorDataViewType type = new((PrimitiveDataViewType)itemType, sizes.Contains(0) ? 0 : sizes.Sum());
            return new ColumnMapper([new(new(_name, type), inputs, row => (Delegate)Generics.Call(MakeGetter<int>, itemType.RawType, row, sources))]);
        }

        private static DataViewType ItemOf(DataViewType type) => (type as VectorDataViewType)?.ItemType ?? type;

        private static Delegate MakeGetter<T>(DataViewRow row, DataViewSchema.Column[] sources)
        {
            Func<VBuffer<T>>[] parts = [.. sources.Select(source =>
            {
                if (source.Type is VectorDataViewType)
                    return RowFilter.Reader(row.GetGetter<VBuffer<T>>(source));
                Func<T> read = RowFilter.Reader(row.GetGetter<T>(source));
                T[] one = new T[1];
                return () =>
                {
                    one[0] = read();
                    return new VBuffer<T>(1, one);
                };
            })];
            VBuffer<T>[] values = new VBuffer<T>[parts.Length];
            return (ValueGetter<VBuffer<T>>)((ref VBuffer<T> destination) =>
            {
                for (int i = 0; i < parts.Length; i++)
                    values[i] = parts[i]();
                VBufferEditor<T> editor = VBufferEditor.Create(ref destination, values.Sum(value => value.Length));
                int offset = 0;
                foreach (VBuffer<T> value in values)
                {
                    value.CopyTo(editor.Values, offset);
                    offset += value.Length;
                }
                destination = editor.Commit();
            });
        }
    }
}
