using Microsoft.ML;
using MLNetExtension.Tests.MLNet.Schema;

namespace MLNetExtension.Tests.MLNet;

/// <summary>What ML.NET expects of every estimator and of the transformer that it fits, in the manner of ML.NET's own check of its estimators.</summary>
/// <param name="mlContext">The context that the estimator was made in.</param>
/// <param name="estimator">Reads rows of <see cref="ConformanceRow"/> and keeps the column <c>Number</c>.</param>
/// <param name="data">The rows.</param>
internal sealed class EstimatorConformance(MLContext mlContext, IEstimator<ITransformer> estimator, IDataView data)
{
    // Rows that are scored beside other rows: the order of float32 sums differs.
    private const double Rounding = 1e-6;

    public void Check()
    {
        var model = estimator.Fit(data);
        try
        {
            CheckSchemas(model);
            var rows = CheckColumns(model.Transform(data));
            CheckCursors(model, rows);
            CheckMapper(model, rows);
            CheckSaving(model, rows);
            CheckEmpty(model);
        }
        finally
        {
            (model as IDisposable)?.Dispose();
        }
    }

    /// <summary>Checks the errors for a column that is missing or of another type.</summary>
    /// <param name="column">A column that training needs.</param>
    /// <param name="other">A column of another type.</param>
    /// <param name="scoringNeedsIt">Whether the trained model needs it as well.</param>
    public void CheckWrongInput(string column, string other, bool scoringNeedsIt)
    {
        using var model = (CausalLanguageModelTransformer)estimator.Fit(data);
        var without = mlContext.Transforms.DropColumns(column).Fit(data).Transform(data);
        var mistyped = mlContext.Transforms.CopyColumns(column, other).Fit(data).Transform(data);
        foreach (var (wrong, message) in new[] { (without, $"Could not find (.+) column '{column}'"), (mistyped, $"Schema mismatch for (.+) column '{column}': expected (.+), got (.+)") })
        {
            Action[] training = [() => estimator.GetOutputSchema(Schemas.Shape(wrong.Schema)), () => estimator.Fit(wrong)];
            Action[] scoring = [() => model.GetOutputSchema(wrong.Schema), () => model.Transform(wrong), () => ((ITransformer)model).GetRowToRowMapper(wrong.Schema)];
            foreach (Action action in scoringNeedsIt ? [.. training, .. scoring] : training)
            {
                var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(action);
                Assert.AreEqual("inputSchema", error.ParamName);
                StringAssert.Matches(error.Message, new("^" + message));
            }
            if (!scoringNeedsIt)
                Array.ForEach(scoring, action => action());
        }
    }

    private void CheckSchemas(ITransformer model)
    {
        var promised = estimator.GetOutputSchema(Schemas.Shape(data.Schema));
        var bound = model.GetOutputSchema(data.Schema);
        var given = model.Transform(data).Schema;
        var mapper = model.GetRowToRowMapper(data.Schema);

        CollectionAssert.AreEqual(Schemas.Describe(promised), Schemas.Describe(Schemas.Shape(bound)), "what the estimator promises");
        CollectionAssert.AreEqual(Schemas.Describe(bound), Schemas.Describe(given), "what the data has");
        CollectionAssert.AreEqual(Schemas.Describe(bound), Schemas.Describe(mapper.OutputSchema), "what the row mapper has");
        Assert.AreSame(data.Schema, mapper.InputSchema);
        Assert.IsTrue(model.IsRowToRowMapper);
    }

    // Gives every visible column of every row.
    private static List<object[]> CheckColumns(IDataView view)
    {
        string[] names = Visible(view.Schema);
        var rows = Cells.Read(view, names);
        for (int column = 0; column < names.Length; column++)
            Cells.AssertSame([.. rows.Select(row => new[] { row[column] })], Cells.Read(view, names[column]), 0, $"{names[column]}, read alone");
        return rows;
    }

    private void CheckCursors(ITransformer model, List<object[]> rows)
    {
        var view = model.Transform(mlContext.Data.Cache(data));
        DataViewSchema.Column[] columns = [.. Visible(view.Schema).Select(name => view.Schema[name])];
        Assert.IsTrue(view.CanShuffle);

        var set = view.GetRowCursorSet(columns, 3).SelectMany(cursor => Cells.Read(cursor, columns));
        Cells.AssertSame(rows, InOrder(set, columns), Rounding, "a set of cursors");
        var shuffled = Cells.Read(view.GetRowCursor(columns, new Random(2)), columns);
        Cells.AssertSame(rows, InOrder(shuffled, columns), Rounding, "a shuffled cursor");
    }

    private void CheckMapper(ITransformer model, List<object[]> rows)
    {
        var mapper = model.GetRowToRowMapper(data.Schema);
        DataViewSchema.Column[] columns = [.. Visible(mapper.OutputSchema).Select(name => mapper.OutputSchema[name])];
        using var cursor = data.GetRowCursor([.. mapper.GetDependencies(columns)]);
        using var row = mapper.GetRow(cursor, columns);
        Func<object>[] getters = [.. columns.Select(column => Cells.Getter(row, column))];
        var mapped = new List<object[]>();
        while (cursor.MoveNext())
            mapped.Add([.. getters.Select(getter => getter())]);
        Cells.AssertSame(rows, mapped, Rounding, "the row mapper");
    }

    private void CheckSaving(ITransformer model, List<object[]> rows)
    {
        using var archive = new MemoryStream();
        mlContext.Model.Save(model, data.Schema, archive);
        archive.Position = 0;
        var loaded = mlContext.Model.Load(archive, out var schema);
        var view = loaded.Transform(data);

        CollectionAssert.AreEqual(Schemas.Describe(data.Schema), Schemas.Describe(schema), "the saved input schema");
        CollectionAssert.AreEqual(Schemas.Describe(model.GetOutputSchema(data.Schema)), Schemas.Describe(view.Schema), "the loaded model's schema");
        Cells.AssertSame(rows, Cells.Read(view, Visible(view.Schema)), 0, "the loaded model");
        (loaded as IDisposable)?.Dispose();
    }

    private void CheckEmpty(ITransformer model)
    {
        var empty = mlContext.Data.SkipRows(data, 1000);
        var scored = model.Transform(empty);
        CollectionAssert.AreEqual(Schemas.Describe(model.GetOutputSchema(data.Schema)), Schemas.Describe(scored.Schema));
        Assert.IsEmpty(Cells.Read(scored, Visible(scored.Schema)));
        Assert.Contains("no rows", Assert.ThrowsExactly<InvalidOperationException>(() => estimator.Fit(empty)).Message);
    }

    private static List<object[]> InOrder(IEnumerable<object[]> rows, DataViewSchema.Column[] columns)
    {
        int number = Array.FindIndex(columns, column => column.Name == nameof(ConformanceRow.Number));
        return [.. rows.OrderBy(row => (float)row[number])];
    }

    private static string[] Visible(DataViewSchema schema) => [.. schema.Where(column => !column.IsHidden).Select(column => column.Name)];
}
