using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

public sealed class ModelOperationsCatalog : IInternalCatalog
{
    private const string SchemaEntryName = "Schema";
    private readonly IHostEnvironment _env;
    internal ModelOperationsCatalog(IHostEnvironment env) => _env = env;
    IHostEnvironment IInternalCatalog.Environment => _env;

    public void Save(ITransformer model, DataViewSchema inputSchema, Stream stream)
    {
        _env.CheckValue(stream, nameof(stream));
        using RepositoryWriter archive = new(stream);
        ModelSaveContext.SaveModel(archive, model, TransformerChain.LoaderSignature);
        if (inputSchema != null)
            SchemaArchive.Save(inputSchema, archive.CreateEntry(null, SchemaEntryName));
        archive.Commit();
    }

    public void Save(ITransformer model, DataViewSchema inputSchema, string filePath)
    {
        _env.CheckNonEmpty(filePath, nameof(filePath));
        using FileStream stream = File.Create(filePath);
        Save(model, inputSchema, stream);
    }

    public ITransformer Load(Stream stream, out DataViewSchema inputSchema)
    {
        _env.CheckValue(stream, nameof(stream));
        using RepositoryReader archive = new(stream, _env);
        using Stream schema = archive.OpenEntryOrNull(null, SchemaEntryName);
        inputSchema = schema == null ? null : SchemaArchive.Load(schema);
        return ModelLoadContext.LoadTransformer(_env, archive, TransformerChain.LoaderSignature);
    }

    public ITransformer Load(string filePath, out DataViewSchema inputSchema)
    {
        _env.CheckNonEmpty(filePath, nameof(filePath));
        using FileStream stream = File.OpenRead(filePath);
        return Load(stream, out inputSchema);
    }

    public PredictionEngine<TSrc, TDst> CreatePredictionEngine<TSrc, TDst>(ITransformer transformer, bool ignoreMissingColumns = true,
        SchemaDefinition inputSchemaDefinition = null, SchemaDefinition outputSchemaDefinition = null)
        where TSrc : class
        where TDst : class, new() =>
        new(_env, transformer, new PredictionEngineOptions
        {
            IgnoreMissingColumns = ignoreMissingColumns,
            InputSchemaDefinition = inputSchemaDefinition,
            OutputSchemaDefinition = outputSchemaDefinition,
        });

    public PredictionEngine<TSrc, TDst> CreatePredictionEngine<TSrc, TDst>(ITransformer transformer, DataViewSchema inputSchema)
        where TSrc : class
        where TDst : class, new() =>
        CreatePredictionEngine<TSrc, TDst>(transformer, false, DataOperationsCatalog.DefinitionOf<TSrc>(_env, inputSchema));

    public PredictionEngine<TSrc, TDst> CreatePredictionEngine<TSrc, TDst>(ITransformer transformer, PredictionEngineOptions options)
        where TSrc : class
        where TDst : class, new() => new(_env, transformer, options);
}
