using Microsoft.ML;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

[TestClass]
public sealed class CorePredictionEngineTests
{
    private readonly MLContext _context = new(seed: 1);

    [TestMethod]
    public void An_engine_predicts_one_row_after_another()
    {
        using var engine = _context.Model.CreatePredictionEngine<CoreValue, CoreScaled>(new CoreScalerTransformer(2));
        Assert.AreEqual(2f, engine.Predict(new CoreValue { Value = 4 }).Scaled);
        CoreScaled reused = new();
        CoreScaled same = reused;
        engine.Predict(new CoreValue { Value = 6 }, ref reused);
        Assert.AreSame(same, reused);
        Assert.AreEqual("6 3", $"{reused.Value} {reused.Scaled}");
        CoreScaled made = null!;
        engine.Predict(new CoreValue { Value = 8 }, ref made);
        Assert.AreEqual(4f, made.Scaled);
        Assert.AreEqual("Value, Scaled", string.Join(", ", engine.OutputSchema.Select(column => column.Name)));
        Assert.AreEqual("example", Assert.ThrowsExactly<ArgumentNullException>(() => engine.Predict(null!)).ParamName);
    }

    [TestMethod]
    public void An_engine_runs_a_loaded_chain_with_its_schema()
    {
        IDataView data = _context.Data.LoadFromEnumerable([new CoreValue { Value = 2 }]);
        var pipeline = _context.Transforms.CustomMapping<CoreValue, CoreLength>((from, to) => to.Length = (int)from.Value, null).Append(new CoreScaler());
        using var engine = _context.Model.CreatePredictionEngine<CoreValue, CoreLength>(pipeline.Fit(data), data.Schema);
        Assert.AreEqual(5, engine.Predict(new CoreValue { Value = 5 }).Length);
        Assert.AreEqual(6, engine.Predict(new CoreValue { Value = 6 }).Length);
    }

    [TestMethod]
    public void An_engine_owns_its_transformer_unless_told_otherwise_and_never_disposes_of_its_row()
    {
        CoreScalerTransformer owned = new(2);
        var engine = _context.Model.CreatePredictionEngine<CoreValue, CoreScaled>(owned);
        engine.Dispose();
        engine.Dispose();
        Assert.AreEqual("1 0", $"{owned.TimesDisposed} {owned.RowsDisposed}");

        CoreScalerTransformer lent = new(2);
        _context.Model.CreatePredictionEngine<CoreValue, CoreScaled>(lent, new PredictionEngineOptions { OwnsTransformer = false }).Dispose();
        Assert.AreEqual(0, lent.TimesDisposed);
    }

    [TestMethod]
    public void Missing_columns_are_ignored_unless_told_otherwise()
    {
        CoreScalerTransformer transformer = new(2);
        using var engine = _context.Model.CreatePredictionEngine<CoreValue, CoreLength>(transformer);
        Assert.AreEqual(0, engine.Predict(new CoreValue { Value = 4 }).Length);
        Assert.AreEqual("Schema", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
            _context.Model.CreatePredictionEngine<CoreValue, CoreLength>(transformer, ignoreMissingColumns: false)).ParamName);
        Assert.AreEqual("inputSchema", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
            _context.Model.CreatePredictionEngine<CoreLength, CoreScaled>(transformer)).ParamName);
        Assert.AreEqual("transformer", Assert.ThrowsExactly<ArgumentNullException>(() =>
            _context.Model.CreatePredictionEngine<CoreLength, CoreScaled>(null)).ParamName);
        DataViewSchema schema = _context.Data.LoadFromEnumerable([new CoreScaled()]).Schema;
        Assert.ThrowsExactly<InvalidOperationException>(() => _context.Model.CreatePredictionEngine<CoreValue, CoreScaled>(transformer, schema));
    }

    [TestMethod]
    public void Engines_on_several_threads_share_one_transformer()
    {
        CoreScalerTransformer transformer = new(2);
        PredictionEngineOptions options = new() { OwnsTransformer = false };
        float[] results = new float[64];
        Parallel.For(0, results.Length, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i =>
        {
            using var engine = _context.Model.CreatePredictionEngine<CoreValue, CoreScaled>(transformer, options);
            results[i] = engine.Predict(new CoreValue { Value = 2 * i }).Scaled;
        });
        CollectionAssert.AreEqual(Enumerable.Range(0, results.Length).Select(i => (float)i).ToArray(), results);
    }

    private sealed class CoreLength
    {
        public int Length { get; set; }
    }
}
