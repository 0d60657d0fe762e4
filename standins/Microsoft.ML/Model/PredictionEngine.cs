using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

public sealed class PredictionEngineOptions
{
    public bool IgnoreMissingColumns = true;
    public SchemaDefinition InputSchemaDefinition;
    public SchemaDefinition OutputSchemaDefinition;
    public bool OwnsTransformer = true;
}

public sealed class PredictionEngine<TSrc, TDst> : PredictionEngineBase<TSrc, TDst>
    where TSrc : class
    where TDst : class, new()
{
    internal PredictionEngine(IHostEnvironment env, ITransformer transformer, PredictionEngineOptions options)
        : base(env, transformer, options)
    {
    }

    public override void Predict(TSrc example, ref TDst prediction)
    {
        Contracts.CheckValue(example, nameof(example));
        ExtractValues(example);
        prediction ??= new TDst();
        FillValues(prediction);
    }
}

/// <summary>One row at a time through a transformer; one row is reused, so not for several threads.</summary>
public abstract class PredictionEngineBase<TSrc, TDst> : IDisposable
    where TSrc : class
    where TDst : class, new()
{
    private readonly InputRow<TSrc> _inputRow;
    private readonly Action<TDst> _fill;
    private readonly bool _ownsTransformer;
    private bool _disposed;

    private protected PredictionEngineBase(IHostEnvironment env, ITransformer transformer, PredictionEngineOptions options)
    {
        env.CheckValue(transformer, nameof(transformer));
        env.CheckParam(transformer.IsRowToRowMapper, nameof(transformer), "Must be a row to row mapper");
        Transformer = transformer;
        _inputRow = new InputRow<TSrc>(env, new MemberSchema<TSrc>(options.InputSchemaDefinition));
        _ownsTransformer = options.OwnsTransformer;
        IRowToRowMapper mapper = transformer.GetRowToRowMapper(_inputRow.Schema);
        ObjectReader<TDst> reader = new(env, mapper.OutputSchema, options.IgnoreMissingColumns, options.OutputSchemaDefinition);
        // Every output column is active. The genuine package, too, never disposes of this row, only of the transformer.
        _fill = reader.Bind(mapper.GetRow(_inputRow, mapper.OutputSchema));
        OutputSchema = transformer.GetOutputSchema(_inputRow.Schema);
    }

    public DataViewSchema OutputSchema { get; }
    private protected ITransformer Transformer { get; }

    public TDst Predict(TSrc example)
    {
        TDst result = new();
        Predict(example, ref result);
        return result;
    }

    public abstract void Predict(TSrc example, ref TDst prediction);

    public void Dispose()
    {
        if (_disposed)
            return;
        _inputRow.Dispose();
        if (_ownsTransformer)
            (Transformer as IDisposable)?.Dispose();
        _disposed = true;
    }

    private protected void ExtractValues(TSrc example) => _inputRow.SetRow(example);
    private protected void FillValues(TDst prediction) => _fill(prediction);
}
