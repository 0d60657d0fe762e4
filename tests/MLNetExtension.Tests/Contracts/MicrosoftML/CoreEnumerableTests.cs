using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

[TestClass]
public sealed class CoreEnumerableTests
{
    private readonly MLContext _context = new(seed: 1);

    [TestMethod]
    public void Members_become_columns_fields_first()
    {
        DataViewSchema schema = _context.Data.LoadFromEnumerable<CoreDocument>([]).Schema;
        Assert.AreEqual("Title: String, Weight: Single, Label: Int32, Flag: Boolean, Id: Int64, Score: Double, Text: String, " +
            "Features: Vector<Single, 3>, Words: Vector<String>, Sparse: Vector<Int32>, Key: Key<UInt32, 0-4>", string.Join(", ", schema));
    }

    [TestMethod]
    public void Rows_come_back_as_they_were()
    {
        CoreDocument document = new()
        {
            Title = "first", Weight = 1.5f, Category = -3, Flag = true, Id = long.MaxValue, Score = 0.1, Text = "abc".AsMemory(), Features = [1, 2, 3],
            Words = ["a", "b"], Sparse = new VBuffer<int>(4, 1, [8], [2]), Key = 2,
        };
        IDataView data = _context.Data.LoadFromEnumerable([document, new CoreDocument { Key = 9 }]);
        CoreDocument[] rows = [.. _context.Data.CreateEnumerable<CoreDocument>(data, reuseRowObject: false)];

        Assert.AreEqual("first|1.5|-3|True|9223372036854775807|0.1|abc|1,2,3|a,b|0,0,8,0",
            $"{rows[0].Title}|{rows[0].Weight}|{rows[0].Category}|{rows[0].Flag}|{rows[0].Id}|{rows[0].Score}|{rows[0].Text}|" +
            $"{string.Join(',', rows[0].Features!)}|{string.Join(',', rows[0].Words!)}|{string.Join(',', rows[0].Sparse.DenseValues())}");
        Assert.AreEqual(3u, rows[0].Key, "Keys count from one in a column.");
        Assert.AreEqual(0u, rows[1].Key, "A key past the last is missing.");
        Assert.AreEqual("", rows[1].Title, "There is no null text in a column.");
        Assert.IsEmpty(rows[1].Words!);
    }

    [TestMethod]
    public void A_row_object_is_reused_only_on_request()
    {
        IDataView data = _context.Data.LoadFromEnumerable(Values(1, 2));
        CoreValue[] reused = [.. _context.Data.CreateEnumerable<CoreValue>(data, reuseRowObject: true)];
        CoreValue[] own = [.. _context.Data.CreateEnumerable<CoreValue>(data, reuseRowObject: false)];
        Assert.AreSame(reused[0], reused[1]);
        Assert.AreEqual(2f, reused[0].Value);
        Assert.AreEqual(1f, own[0].Value);
    }

    [TestMethod]
    public void Nothing_is_read_before_a_cursor_moves_and_each_cursor_reads_anew()
    {
        int read = 0;
        IEnumerable<CoreValue> Source()
        {
            for (int i = 0; i < 3; i++)
            {
                read++;
                yield return new CoreValue { Value = i };
            }
        }

        IDataView data = _context.Data.LoadFromEnumerable(Source());
        IEnumerable<CoreValue> rows = _context.Data.CreateEnumerable<CoreValue>(data, reuseRowObject: false);
        Assert.IsFalse(data.CanShuffle);
        Assert.IsNull(data.GetRowCount());
        Assert.AreEqual(0, read);
        Assert.AreEqual(0f, rows.First().Value);
        Assert.AreEqual(1, read);
        Assert.AreEqual(3, rows.Count());
        Assert.AreEqual(4, read);
        Assert.AreEqual(3, _context.Data.LoadFromEnumerable(Values(1, 2, 3)).GetRowCount());
    }

    [TestMethod]
    public void A_list_is_not_shuffled_either()
    {
        IDataView data = _context.Data.LoadFromEnumerable(Values(1, 2, 3));
        Assert.IsFalse(data.CanShuffle);
        using DataViewRowCursor cursor = data.GetRowCursor(data.Schema, new Random(5));
        ValueGetter<float> getter = cursor.GetGetter<float>(data.Schema["Value"]);
        List<float> seen = [];
        for (float value = 0; cursor.MoveNext(); seen.Add(value))
            getter(ref value);
        CollectionAssert.AreEqual(new float[] { 1, 2, 3 }, seen);
        Assert.HasCount(1, data.GetRowCursorSet(data.Schema, 4));
    }

    [TestMethod]
    public void A_cursor_stands_before_the_first_row_and_after_the_last_at_minus_one()
    {
        IDataView data = _context.Data.LoadFromEnumerable(Values(5, 6));
        using DataViewRowCursor cursor = data.GetRowCursor(data.Schema);
        ValueGetter<DataViewRowId> getId = cursor.GetIdGetter();
        DataViewRowId id = default;
        Assert.AreEqual(-1, cursor.Position);
        Assert.AreEqual(0, cursor.Batch);
        StringAssert.StartsWith(Assert.ThrowsExactly<InvalidOperationException>(() => getId(ref id)).Message, "Values cannot be fetched at this time.");
        Assert.IsTrue(cursor.MoveNext());
        Assert.IsTrue(cursor.MoveNext());
        getId(ref id);
        Assert.AreEqual(new DataViewRowId(1, 0), id);
        Assert.AreEqual(1, cursor.Position);
        Assert.IsFalse(cursor.MoveNext());
        Assert.AreEqual(-1, cursor.Position);
        Assert.IsFalse(cursor.MoveNext());
    }

    [TestMethod]
    public void Only_active_columns_have_getters_and_only_of_their_type()
    {
        IDataView data = _context.Data.LoadFromEnumerable<CoreDocument>([]);
        using DataViewRowCursor cursor = data.GetRowCursor([data.Schema["Weight"]]);
        Assert.IsTrue(cursor.IsColumnActive(data.Schema["Weight"]));
        Assert.IsFalse(cursor.IsColumnActive(data.Schema["Title"]));
        var inactive = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => cursor.GetGetter<ReadOnlyMemory<char>>(data.Schema["Title"]));
        Assert.AreEqual("column", inactive.ParamName);
        Assert.StartsWith("requested column not active", inactive.Message);
        var wrong = Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<int>(data.Schema["Weight"]));
        Assert.AreEqual("Invalid TValue in GetGetter for column #Weight: Single: 'System.Int32', expected type: 'System.Single'.", wrong.Message);
    }

    [TestMethod]
    public void What_does_not_bind_is_said_before_anything_is_read()
    {
        IDataView data = _context.Data.LoadFromEnumerable(Values(1));
        var missing = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _context.Data.CreateEnumerable<CoreScaled>(data, false));
        Assert.AreEqual("Schema", missing.ParamName);
        Assert.StartsWith("Could not find  column 'Scaled'", missing.Message);
        Assert.AreEqual(1f, _context.Data.CreateEnumerable<CoreScaled>(data, false, ignoreMissingColumns: true).Single().Value);
        var wrong = Assert.ThrowsExactly<InvalidOperationException>(() => _context.Data.CreateEnumerable<WrongType>(data, false));
        Assert.AreEqual("Can't bind the IDataView column 'Value' of type 'Single' to field or property 'Value' of type 'System.Int32'.", wrong.Message);
        Assert.AreEqual("rawType", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _context.Data.LoadFromEnumerable(new[] { new NoType() })).ParamName);
        Assert.AreEqual("data", Assert.ThrowsExactly<ArgumentNullException>(() => _context.Data.LoadFromEnumerable<CoreValue>(null)).ParamName);
        IDataView withNull = _context.Data.LoadFromEnumerable(new CoreValue[] { null! });
        Assert.StartsWith("Encountered null", Assert.ThrowsExactly<InvalidOperationException>(() => withNull.Preview()).Message);
    }

    [TestMethod]
    public void A_schema_definition_renames_columns_and_sizes_vectors()
    {
        SchemaDefinition definition = SchemaDefinition.Create(typeof(CoreDocument));
        definition["Title"].ColumnName = "Name";
        definition["Words"].ColumnType = new VectorDataViewType(TextDataViewType.Instance, 2);
        IDataView data = _context.Data.LoadFromEnumerable([new CoreDocument { Title = "t", Words = ["x", "y"] }], definition);
        Assert.AreEqual("Vector<String, 2>", data.Schema["Words"].Type.ToString());
        Assert.AreEqual("t", data.GetColumn<string>("Name").Single());
        definition["Weight"].ColumnType = NumberDataViewType.Int32;
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _context.Data.LoadFromEnumerable<CoreDocument>([], definition));
    }

    [TestMethod]
    public void A_column_is_read_as_its_own_type_as_text_or_as_an_array()
    {
        CoreDocument document = new() { Title = "t", Weight = 2, Features = [1, 2, 3], Words = ["x", "y"] };
        IDataView data = _context.Data.LoadFromEnumerable([document, document]);
        CollectionAssert.AreEqual(new[] { "t", "t" }, data.GetColumn<string>("Title").ToArray());
        CollectionAssert.AreEqual(new[] { 2f, 2f }, data.GetColumn<float>(data.Schema["Weight"]).ToArray());
        CollectionAssert.AreEqual(new[] { 1f, 2f, 3f }, data.GetColumn<float[]>("Features").First());
        CollectionAssert.AreEqual(new[] { "x", "y" }, data.GetColumn<string[]>("Words").First());
        Assert.AreEqual(3, data.GetColumn<VBuffer<float>>("Features").First().Length);
        Assert.AreEqual("column", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => data.GetColumn<int>("Weight")).ParamName);
        Assert.AreEqual("column", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => data.GetColumn<float[]>("Weight")).ParamName);
        Assert.AreEqual("name", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => data.GetColumn<int>("Absent")).ParamName);
    }

    [TestMethod]
    public void A_preview_reads_the_first_rows_of_every_column()
    {
        DataDebuggerPreview preview = _context.Data.LoadFromEnumerable(Values(1, 2, 3)).Preview(maxRows: 2);
        Assert.AreEqual("1 columns, 2 rows", preview.ToString());
        Assert.AreEqual("Value", preview.RowView[1].Values[0].Key);
        Assert.AreEqual(2f, preview.RowView[1].Values[0].Value);
        Assert.AreEqual(2f, preview.ColumnView[0].Values[1]);
    }

    private static CoreValue[] Values(params float[] values) => [.. values.Select(value => new CoreValue { Value = value })];

    private sealed class WrongType
    {
        public int Value { get; set; }
    }

    private sealed class NoType
    {
        public Uri? Value { get; set; }
    }
}
