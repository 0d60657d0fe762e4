using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

[assembly: LoadableClass(typeof(ITransformer), typeof(CustomMappingLoader), null, typeof(SignatureLoadModel), "Custom mapping",
    CustomMappingLoader.Signature)]

namespace Microsoft.ML.Transforms;

public sealed class CustomMappingTransformer<TSrc, TDst> : ITransformer
    where TSrc : class, new()
    where TDst : class, new()
{
    private readonly IHost _host;
    private readonly Action<TSrc, TDst> _mapAction;
    private readonly string _contractName;

    internal CustomMappingTransformer(IHostEnvironment env, Action<TSrc, TDst> mapAction, string contractName, SchemaDefinition inputSchemaDefinition,
        SchemaDefinition outputSchemaDefinition)
    {
        _host = env.Register(nameof(CustomMappingTransformer<,>));
        _host.CheckValue(mapAction, nameof(mapAction));
        _mapAction = mapAction;
        _contractName = contractName;
        InputSchemaDefinition = inputSchemaDefinition;
        Added = new MemberSchema<TDst>(outputSchemaDefinition ?? SchemaDefinition.Create(typeof(TDst), SchemaDefinition.Direction.Write));
    }

    bool ITransformer.IsRowToRowMapper => true;
    internal SchemaDefinition InputSchemaDefinition { get; }
    internal MemberSchema<TDst> Added { get; }

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        return RowToRowMapperTransform.GetOutputSchema(inputSchema, new Mapper(this, inputSchema));
    }

    public IDataView Transform(IDataView input)
    {
        _host.CheckValue(input, nameof(input));
        return new RowToRowMapperTransform(_host, input, new Mapper(this, input.Schema));
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        return new RowToRowMapperTransform(_host, new EmptyDataView(_host, inputSchema), new Mapper(this, inputSchema));
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        if (_contractName == null)
            throw _host.Except("Empty contract name for a transform: the transform cannot be saved");
        CustomMappingLoader.Save(ctx, _contractName, _mapAction.Method.DeclaringType.Assembly.FullName);
    }

    private sealed class Mapper(CustomMappingTransformer<TSrc, TDst> parent, DataViewSchema inputSchema) : IRowMapper
    {
        private readonly ObjectReader<TSrc> _reader = new(parent._host, inputSchema, false, parent.InputSchemaDefinition);

        public Func<int, bool> GetDependencies(Func<int, bool> activeOutput)
        {
            bool any = Enumerable.Range(0, parent.Added.Columns.Length).Any(activeOutput);
            return column => any && _reader.Dependencies.Any(c => c.Index == column);
        }

        public DataViewSchema.DetachedColumn[] GetOutputColumns() => [.. parent.Added.Schema.Select(c => new DataViewSchema.DetachedColumn(c))];

        // The action runs once a row, when the first of its columns is asked for.
        public Delegate[] CreateGetters(DataViewRow input, Func<int, bool> activeOutput, out Action disposer)
        {
            disposer = null;
            bool[] active = [.. Enumerable.Range(0, parent.Added.Columns.Length).Select(activeOutput)];
            if (!active.Contains(true))
                return new Delegate[active.Length];
            InputRow<TDst> output = new(parent._host, parent.Added);
            Action<TSrc> fill = _reader.Bind(input);
            TSrc source = new();
            TDst destination = new();
            long done = -1;
            return [.. output.Schema.Select(c => active[c.Index] ? MakeGetter(RowCursorUtils.GetGetterAsDelegate(output, c.Index), c.Type.RawType) : null)];

            void Refresh()
            {
                if (done == input.Position)
                    return;
                fill(source);
                parent._mapAction(source, destination);
                output.SetRow(destination);
                done = input.Position;
            }

            Delegate MakeGetter(Delegate getter, Type type) => (Delegate)typeof(Mapper).GetMethod(nameof(AfterRefresh), BindingFlags.NonPublic |
                BindingFlags.Static).MakeGenericMethod(type).Invoke(null, [getter, (Action)Refresh]);
        }

        private static ValueGetter<T> AfterRefresh<T>(ValueGetter<T> getter, Action refresh) => (ref dst) =>
        {
            refresh();
            getter(ref dst);
        };
    }
}

internal static class CustomMappingLoader
{
    public const string Signature = "CustomTransformer";

    private static VersionInfo Version =>
        new("CUSTOMXF", 0x00010002, 0x00010002, 0x00010001, typeof(CustomMappingLoader).Assembly.FullName, Signature);

    public static void Save(ModelSaveContext ctx, string contractName, string contractAssembly)
    {
        ctx.SetVersionInfo(Version);
        ctx.Writer.Write(contractName);
        ctx.Writer.Write(contractAssembly);
    }

    internal static ITransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        string contractName = ctx.Reader.ReadString();
        env.ComponentCatalog.RegisterAssembly(Assembly.Load(ctx.Reader.ReadString()));
        object factory = env.ComponentCatalog.GetExtensionValue(env, typeof(CustomMappingFactoryAttributeAttribute), contractName);
        return (factory as ICustomMappingFactory)?.CreateTransformer(env, contractName)
            ?? throw env.Except($"The class with contract '{contractName}' must derive from '{typeof(CustomMappingFactory<,>).FullName}'.");
    }
}
