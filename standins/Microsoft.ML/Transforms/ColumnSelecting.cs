using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

[assembly: LoadableClass(typeof(ColumnSelectingTransformer), typeof(ColumnSelectingTransformer), null, typeof(SignatureLoadModel),
    ColumnSelectingTransformer.LoaderSignature)]

namespace Microsoft.ML.Transforms;

public sealed class ColumnSelectingEstimator : TrivialEstimator<ColumnSelectingTransformer>
{
    internal ColumnSelectingEstimator(IHostEnvironment env, string[] keepColumns, string[] dropColumns, bool keepHidden)
        : base(env.Register(nameof(ColumnSelectingEstimator)), new ColumnSelectingTransformer(env, keepColumns, dropColumns, keepHidden))
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Through(Transformer);
}

/// <summary>Keeps columns in the order of their names here, or keeps all but these in their own.</summary>
public sealed class ColumnSelectingTransformer : ITransformer
{
    internal const string LoaderSignature = "SelectColumnsTransform";

    private readonly IHost _host;
    private readonly string[] _names;
    private readonly bool _keeps;
    private readonly bool _keepsHidden;

    internal ColumnSelectingTransformer(IHostEnvironment env, string[] keepColumns, string[] dropColumns, bool keepHidden = false)
    {
        _host = env.Register(nameof(ColumnSelectingTransformer));
        _keeps = keepColumns is { Length: > 0 };
        _names = _keeps ? keepColumns : dropColumns;
        _host.Check(_names is { Length: > 0 }, "Neither keepColumns and dropColumns is set. Exactly one must be specified.");
        _keepsHidden = keepHidden;
    }

    bool ITransformer.IsRowToRowMapper => true;

    private static VersionInfo Version =>
        new("SELCOLST", 0x00010001, 0x00010001, 0x00010001, typeof(ColumnSelectingTransformer).Assembly.FullName, LoaderSignature);

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        return Bind(new EmptyDataView(_host, inputSchema), nameof(inputSchema)).OutputSchema;
    }

    public IDataView Transform(IDataView input)
    {
        _host.CheckValue(input, nameof(input));
        return Bind(input, nameof(input));
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        return Bind(new EmptyDataView(_host, inputSchema), nameof(inputSchema));
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ctx.SetVersionInfo(Version);
        ctx.Writer.Write(_keeps);
        ctx.Writer.Write(_keepsHidden);
        ctx.Writer.Write(_names.Length);
        foreach (string name in _names)
            ctx.Writer.Write(name);
    }

    internal static ColumnSelectingTransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        bool keeps = ctx.Reader.ReadBoolean(), keepsHidden = ctx.Reader.ReadBoolean();
        string[] names = [.. Enumerable.Range(0, ctx.Reader.ReadInt32()).Select(_ => ctx.Reader.ReadString())];
        return new ColumnSelectingTransformer(env, keeps ? names : null, keeps ? null : names, keepsHidden);
    }

    private SelectedColumns Bind(IDataView input, string parameter)
    {
        string[] missing = [.. _names.Except(input.Schema.Select(column => column.Name))];
        if (missing.Length > 0)
            throw _host.ExceptSchemaMismatch(parameter, "input", string.Join(",", missing));
        IEnumerable<DataViewSchema.Column> columns = _keeps
            ? _names.SelectMany(name => input.Schema.Where(column => column.Name == name && (_keepsHidden || !column.IsHidden)))
            : input.Schema.Where(column => !_names.Contains(column.Name));
        return new SelectedColumns(_host, input, [.. columns]);
    }
}
