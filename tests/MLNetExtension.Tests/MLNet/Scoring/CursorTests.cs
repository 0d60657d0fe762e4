using Microsoft.ML;
using Microsoft.ML.Data;
using static MLNetExtension.Tests.MLNet.Tiny;

namespace MLNetExtension.Tests.MLNet.Scoring;

[TestClass]
public sealed class CursorTests
{
    // More rows than a cursor first reads ahead, of every length from nothing to more than the context.
    private static readonly string[] ManyTexts = [.. Enumerable.Range(0, 150).Select(i => new string((char)('a' + i % 26), i * 7 % 80))];

    private static readonly MLContext Context = new(seed: 1);
    private static readonly CausalLanguageModelTransformer Model = Train(Context);

    [TestMethod]
    public void Looking_ahead_gives_what_one_row_at_a_time_gives()
    {
        using var engine = Context.Model.CreatePredictionEngine<Row, Prediction>(Model, new PredictionEngineOptions { OwnsTransformer = false });

        var together = Score(Context, Model, Rows(Context, ManyTexts));

        Assert.HasCount(ManyTexts.Length, together);
        for (int i = 0; i < together.Count; i++)
        {
            var alone = engine.Predict(new Row { Text = ManyTexts[i], Vector = [0, 0] });
            Assert.AreEqual(alone.LossSum, together[i].LossSum, 1e-6 * alone.LossSum, $"row {i}");
            Assert.AreEqual((alone.TokenCount, alone.ByteCount), (together[i].TokenCount, together[i].ByteCount), $"row {i}");
        }
    }

    [TestMethod]
    public void Passed_on_columns_keep_the_values_of_their_own_row()
    {
        var rows = Score(Context, Model, Rows(Context, ManyTexts));

        for (int i = 0; i < rows.Count; i++)
        {
            Assert.AreEqual(i, rows[i].Number);
            Assert.AreEqual(ManyTexts[i], rows[i].Text);
            CollectionAssert.AreEqual(new float[] { i, -i }, rows[i].Vector);
        }
    }

    [TestMethod]
    public void A_vector_that_is_passed_on_belongs_to_whoever_asked_for_it()
    {
        var view = Model.Transform(Rows(Context, ManyTexts));
        using var cursor = view.GetRowCursor([view.Schema["Vector"], view.Schema["LossSum"]]);
        var getter = cursor.GetGetter<VBuffer<float>>(view.Schema["Vector"]);
        VBuffer<float> first = default, second = default;
        Assert.IsTrue(cursor.MoveNext());

        getter(ref first);
        VBufferEditor.CreateFromBuffer(ref first).Values[0] = 99;
        getter(ref second);

        Assert.AreEqual(0, second.GetValues()[0]);
        while (cursor.MoveNext())
            getter(ref second);
        Assert.AreEqual(99, first.GetValues()[0]);
    }

    [TestMethod]
    public void A_cursor_reads_nothing_before_it_is_asked_and_then_only_a_few_rows_ahead()
    {
        int read = 0;
        var view = Model.Transform(Context.Data.LoadFromEnumerable(ManyTexts.Select(text =>
        {
            read++;
            return new Row { Text = text, Vector = [0, 0] };
        })));
        Assert.AreEqual(0, read);

        using var cursor = view.GetRowCursor([view.Schema["LossSum"]]);
        Assert.AreEqual(0, read);
        Assert.IsTrue(cursor.MoveNext());
        Assert.IsInRange(1, 10, read);
    }

    [TestMethod]
    public void Only_the_loss_needs_the_network()
    {
        var model = Train(Context);
        var view = model.Transform(Rows(Context, "some text"));
        using var cursor = view.GetRowCursor([view.Schema["TokenCount"], view.Schema["LossSum"]]);
        var tokenCount = cursor.GetGetter<int>(view.Schema["TokenCount"]);
        var lossSum = cursor.GetGetter<float>(view.Schema["LossSum"]);
        Assert.IsTrue(cursor.MoveNext());
        model.Dispose();

        int tokens = 0;
        tokenCount(ref tokens);
        Assert.AreEqual("some text".Length + 1, tokens);
        Assert.ThrowsExactly<ObjectDisposedException>(() =>
        {
            float loss = 0;
            lossSum(ref loss);
        });
    }

    [TestMethod]
    public void Only_the_columns_asked_for_are_active()
    {
        var view = Model.Transform(Rows(Context, "some text"));
        foreach (string name in new[] { "Number", "TokenCount" })
        {
            using var cursor = view.GetRowCursor([view.Schema[name]]);
            CollectionAssert.AreEqual(new[] { name }, view.Schema.Where(cursor.IsColumnActive).Select(column => column.Name).ToArray());
            Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["Text"]));
            Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<float>(view.Schema["LossSum"]));
        }
    }

    [TestMethod]
    public void An_added_column_depends_on_the_text_alone()
    {
        var mapper = ((ITransformer)Model).GetRowToRowMapper(Rows(Context, "some text").Schema);

        string[] Needed(params string[] columns) =>
            [.. mapper.GetDependencies(columns.Select(column => mapper.OutputSchema[column])).Select(column => column.Name)];

        CollectionAssert.AreEqual(new[] { "Text" }, Needed("LossSum"));
        CollectionAssert.AreEqual(new[] { "Number" }, Needed("Number"));
        CollectionAssert.AreEqual(new[] { "Number", "Text" }, Needed("ByteCount", "Number"));
    }

    [TestMethod]
    public void A_getter_of_another_type_is_refused()
    {
        var view = Model.Transform(Rows(Context, "some text"));
        using var cursor = view.GetRowCursor(view.Schema);

        var error = Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<double>(view.Schema["LossSum"]));

        Assert.Contains("System.Single", error.Message);
    }

    [TestMethod]
    public void A_cursor_off_its_rows_has_no_values()
    {
        var view = Model.Transform(Rows(Context, "some text"));
        using var cursor = view.GetRowCursor(view.Schema);
        var getter = cursor.GetGetter<int>(view.Schema["TokenCount"]);
        int tokens = 0;

        Assert.ThrowsExactly<InvalidOperationException>(() => getter(ref tokens));
        Assert.IsTrue(cursor.MoveNext());
        Assert.AreEqual(0, cursor.Position);
        Assert.IsFalse(cursor.MoveNext());
        Assert.IsFalse(cursor.MoveNext());
        Assert.AreEqual(-1, cursor.Position);
        Assert.ThrowsExactly<InvalidOperationException>(() => getter(ref tokens));
    }

    [TestMethod]
    public void A_cursor_set_has_every_row_once()
    {
        var data = Context.Data.Cache(Rows(Context, ManyTexts));
        var expected = Score(Context, Model, data).Select(row => (row.Number, row.LossSum)).ToArray();
        var view = Model.Transform(data);

        var cursors = view.GetRowCursorSet([view.Schema["Number"], view.Schema["LossSum"]], 3);
        var rows = cursors.SelectMany(Losses).OrderBy(row => row.Number).ToArray();

        Assert.HasCount(expected.Length, rows);
        for (int i = 0; i < rows.Length; i++)
        {
            Assert.AreEqual(expected[i].Number, rows[i].Number);
            Assert.AreEqual(expected[i].LossSum, rows[i].LossSum, 1e-6 * expected[i].LossSum);
        }
    }

    [TestMethod]
    public void A_shuffled_cursor_gives_each_row_its_own_loss()
    {
        var data = Context.Data.Cache(Rows(Context, ManyTexts));
        var expected = Score(Context, Model, data).ToDictionary(row => row.Number, row => row.LossSum);
        var view = Model.Transform(data);
        Assert.IsTrue(view.CanShuffle);

        using var cursor = view.GetRowCursor([view.Schema["Number"], view.Schema["LossSum"]], new Random(3));
        var rows = Losses(cursor).ToArray();

        CollectionAssert.AreEquivalent(expected.Keys, rows.Select(row => row.Number).ToArray());
        CollectionAssert.AreNotEqual(expected.Keys, rows.Select(row => row.Number).ToArray());
        foreach (var (number, loss) in rows)
            Assert.AreEqual(expected[number], loss, 1e-6 * expected[number]);
    }

    [TestMethod]
    public void Row_ids_are_those_of_the_input()
    {
        var data = Rows(Context, ManyTexts);
        var view = Model.Transform(data);

        CollectionAssert.AreEqual(Ids(data.GetRowCursor(data.Schema)), Ids(view.GetRowCursor(view.Schema)));
    }

    private static List<string> Ids(DataViewRowCursor cursor)
    {
        using (cursor)
        {
            var ids = new List<string>();
            var getter = cursor.GetIdGetter();
            while (cursor.MoveNext())
            {
                DataViewRowId id = default;
                getter(ref id);
                ids.Add($"{id} at {cursor.Position}");
            }
            return ids;
        }
    }

    private static IEnumerable<(float Number, float LossSum)> Losses(DataViewRowCursor cursor)
    {
        var number = cursor.GetGetter<float>(cursor.Schema["Number"]);
        var lossSum = cursor.GetGetter<float>(cursor.Schema["LossSum"]);
        while (cursor.MoveNext())
        {
            float n = 0, loss = 0;
            number(ref n);
            lossSum(ref loss);
            yield return (n, loss);
        }
        cursor.Dispose();
    }
}
