using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

[TestClass]
public sealed class CorePipelineTests
{
    private readonly MLContext _context = new(seed: 1);

    [TestMethod]
    public void Fit_trains_and_transform_computes_only_what_is_asked_for()
    {
        IDataView data = Values(1, 2, 3);
        CoreScaler scaler = new();
        TransformerChain<CoreScalerTransformer> model = new EstimatorChain<ITransformer>().Append(scaler).Fit(data);
        IDataView scored = model.Transform(data);
        Assert.AreEqual(1, scaler.Fits);
        Assert.AreEqual(0, model.LastTransformer.Computed);
        Assert.HasCount(3, scored.GetColumn<float>("Value").ToArray());
        Assert.AreEqual(0, model.LastTransformer.Computed);
        CollectionAssert.AreEqual(new[] { 0.5f, 1f, 1.5f }, scored.GetColumn<float>("Scaled").ToArray());
        Assert.AreEqual(3, model.LastTransformer.Computed);
    }

    [TestMethod]
    public void A_chain_checks_every_schema_before_it_trains()
    {
        CoreScaler scaler = new();
        var pipeline = Double("Twice").Append(scaler);
        IDataView wrong = _context.Data.LoadFromEnumerable([new CoreDocument()]);
        Assert.AreEqual("inputSchema", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => pipeline.Fit(wrong)).ParamName);
        Assert.AreEqual(0, scaler.Fits);
        Assert.AreSame(scaler, pipeline.LastEstimator);
    }

    [TestMethod]
    public void Appending_makes_a_new_chain_and_a_chain_enumerates_its_transformers()
    {
        IDataView data = Values(2);
        EstimatorChain<CoreScalerTransformer> one = new EstimatorChain<CoreScalerTransformer>().Append(new CoreScaler());
        var two = one.Append(Double("Twice"));
        Assert.HasCount(1, one.Fit(data).ToArray());
        Assert.HasCount(2, two.Fit(data).ToArray());
        TransformerChain<ITransformer> chain = one.Fit(data).Append<ITransformer>(new CoreScalerTransformer(4));
        CollectionAssert.AreEqual(new[] { 0.5f }, chain.Transform(data).GetColumn<float>("Scaled").ToArray());
        Assert.HasCount(2, ((ITransformer)new CoreScalerTransformer(1)).Append(new CoreScalerTransformer(2)).ToArray());
        Assert.IsTrue(((ITransformer)chain).IsRowToRowMapper);
        Assert.IsEmpty(new TransformerChain<ITransformer>().ToArray());
    }

    [TestMethod]
    public void A_scope_leaves_out_what_is_only_for_training()
    {
        IDataView data = Values(2);
        var model = new EstimatorChain<ITransformer>().Append(Double("Twice"), TransformerScope.TrainTest).Append(new CoreScaler()).Fit(data);
        Assert.IsNull(model.Transform(data).Schema.GetColumnOrNull("Twice"));
        Assert.IsNotNull(model.Transform(data, TransformerScope.Training).Schema.GetColumnOrNull("Twice"));
    }

    [TestMethod]
    public void A_chain_disposes_its_transformers_once()
    {
        CoreScalerTransformer inner = new(1);
        TransformerChain<CoreScalerTransformer> chain = new(inner);
        chain.Dispose();
        chain.Dispose();
        Assert.AreEqual(1, inner.TimesDisposed);
    }

    [TestMethod]
    public void A_cache_reads_its_source_once_for_each_column()
    {
        (IDataView data, Func<int> passes) = Counted(3);
        IDataView cached = _context.Data.Cache(data);
        Assert.IsTrue(cached.CanShuffle);
        Assert.IsNull(cached.GetRowCount());
        Assert.AreEqual(0, passes());
        for (int i = 0; i < 2; i++)
            CollectionAssert.AreEqual(new[] { 0f, 1f, 2f }, cached.GetColumn<float>("Value").ToArray());
        Assert.AreEqual(1, passes());
        Assert.AreEqual(3, cached.GetRowCount());
        Assert.HasCount(3, cached.GetColumn<float>("Scaled").ToArray());
        Assert.AreEqual(2, passes());
    }

    [TestMethod]
    public void A_cache_shuffles_by_the_generator_given()
    {
        IDataView cached = _context.Data.Cache(Values([.. Enumerable.Range(0, 50).Select(i => (float)i)]));
        float[] first = Shuffled(cached, 3);
        CollectionAssert.AreEqual(first, Shuffled(cached, 3));
        CollectionAssert.AreNotEqual(first, Shuffled(cached, 4));
        CollectionAssert.AreEquivalent(Enumerable.Range(0, 50).Select(i => (float)i).ToArray(), first);
        Assert.AreEqual("14, 35, 43, 12, 29, 13", string.Join(", ", first[..6]));
    }

    [TestMethod]
    public void A_cache_tells_of_its_sources_failure()
    {
        static IEnumerable<CoreValue> Source()
        {
            yield return new CoreValue();
            throw new IOException("disk");
        }

        IDataView cached = _context.Data.Cache(_context.Data.LoadFromEnumerable(Source()));
        var exception = Assert.ThrowsExactly<InvalidOperationException>(() => cached.GetColumn<float>("Value").ToArray());
        Assert.IsInstanceOfType<IOException>(exception.InnerException);
        Assert.AreEqual("columnsToPrefetch", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _context.Data.Cache(cached, "Absent")).ParamName);
    }

    [TestMethod]
    public void A_cache_checkpoint_keeps_the_next_estimators_from_the_source()
    {
        (IDataView data, Func<int> passes) = Counted(3);
        Double("Twice").AppendCacheCheckpoint(_context).Append(new CoreScaler()).Append(new CoreScaler()).Fit(data);
        Assert.AreEqual(1, passes());
        (data, passes) = Counted(3);
        Double("Twice").Append(new CoreScaler()).Append(new CoreScaler()).Fit(data);
        Assert.AreEqual(2, passes());
        Assert.ThrowsExactly<InvalidOperationException>(() => new EstimatorChain<ITransformer>().AppendCacheCheckpoint(_context));
    }

    [TestMethod]
    public void A_custom_mapping_runs_once_a_row_and_only_if_its_columns_are_wanted()
    {
        int calls = 0;
        var mapping = _context.Transforms.CustomMapping<CoreValue, TwoOutputs>((from, to) =>
        {
            calls++;
            to.Half = from.Value / 2;
            to.Name = $"v{from.Value}";
        }, contractName: null);
        IDataView mapped = mapping.Fit(Values(2, 4)).Transform(Values(2, 4));
        Assert.AreEqual("Value, Half, Name", string.Join(", ", mapped.Schema.Select(column => column.Name)));
        Assert.HasCount(2, mapped.GetColumn<float>("Value").ToArray());
        Assert.AreEqual(0, calls);
        Assert.AreEqual("1 v2 2 v4", string.Join(' ', _context.Data.CreateEnumerable<TwoOutputs>(mapped, false).Select(row => $"{row.Half} {row.Name}")));
        Assert.AreEqual(2, calls);
        SchemaShape.Column value = CoreModelBridge.ShapeColumn("Value", SchemaShape.Column.VectorKind.Scalar, TextDataViewType.Instance, false, null);
        var wrong = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => mapping.GetOutputSchema(new SchemaShape([value])));
        Assert.StartsWith("Schema mismatch for input column 'Value': expected Single, got String", wrong.Message);
        Assert.AreEqual("inputSchema", wrong.ParamName);
    }

    private static float[] Shuffled(IDataView data, int seed)
    {
        using DataViewRowCursor cursor = data.GetRowCursor(data.Schema, new Random(seed));
        ValueGetter<float> getter = cursor.GetGetter<float>(data.Schema["Value"]);
        List<float> seen = [];
        for (float value = 0; cursor.MoveNext(); seen.Add(value))
            getter(ref value);
        return [.. seen];
    }

    private IDataView Values(params float[] values) => _context.Data.LoadFromEnumerable(values.Select(value => new CoreValue { Value = value }).ToArray());

    private (IDataView Data, Func<int> Passes) Counted(int rows)
    {
        int passes = 0;
        IEnumerable<CoreScaled> Source()
        {
            passes++;
            for (int i = 0; i < rows; i++)
                yield return new CoreScaled { Value = i, Scaled = -i };
        }

        return (_context.Data.LoadFromEnumerable(Source()), () => passes);
    }

    private CustomMappingEstimator<CoreValue, OneOutput> Double(string name)
    {
        SchemaDefinition output = SchemaDefinition.Create(typeof(OneOutput));
        output["Output"].ColumnName = name;
        return _context.Transforms.CustomMapping<CoreValue, OneOutput>((from, to) => to.Output = from.Value * 2, null, outputSchemaDefinition: output);
    }

    private sealed class OneOutput
    {
        public float Output { get; set; }
    }

    private sealed class TwoOutputs
    {
        public float Half { get; set; }

        public string? Name { get; set; }
    }
}
