using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

/// <summary>What we rely on in <c>SaveAsText</c>.</summary>
[TestClass]
public sealed class TextSaverTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    private static readonly Row[] Rows =
    [
        new() { Text = "plain", Number = 1.5f, Int = 3, Flag = true, Double = 0.1, Vector = [1, 0, 0] },
        new() { Text = "tab\there \"q\" x:y", Number = float.NaN, Int = -1, Double = 1e30, Vector = [0, 2, 0] },
        new() { Text = "", Number = 1e-7f, Vector = [0, 0, 7] },
        new() { Text = " lead\nline", Number = float.PositiveInfinity, Vector = [1, 1, 1] },
    ];

    [TestMethod]
    public void The_file_names_its_own_columns_and_quotes_what_needs_it()
    {
        string text = Save(stream => _mlContext.Data.SaveAsText(View(), stream, forceDense: true));
        Assert.AreEqual(
            """
            #@ TextLoader{
            #@   header+
            #@   sep=tab
            #@   col=Text:TX:0
            #@   col=Number:R4:1
            #@   col=Int:I4:2
            #@   col=Flag:BL:3
            #@   col=Double:R8:4
            #@   col=Vector:R4:5-7
            #@ }
            Text|Number|Int|Flag|Double|""|""|""
            plain|1.5|3|1|0.10000000000000001|1|0|0
            "tab|here ""q"" x:y"|?|-1|0|1E+30|0|2|0
            ""|1E-07|0|0|0|0|0|7
            " lead
            line"|Infinity|0|0|0|1|1|1

            """,
            text.Replace('\t', '|'));
    }

    [TestMethod]
    public void Header_and_schema_are_choices()
    {
        string text = Save(stream => _mlContext.Data.SaveAsText(_mlContext.Data.TakeRows(View(), 1), stream, ',', headerRow: false, schema: false));
        Assert.AreEqual("plain,1.5,3,1,0.10000000000000001,1,0,0\n", text);
    }

    [TestMethod]
    public void A_row_of_many_default_values_ends_sparse_unless_forced_dense()
    {
        Wide[] rows = [new() { Vector = new float[12] }, new() { Vector = [0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0] }];
        IDataView view = _mlContext.Data.LoadFromEnumerable(rows);
        Assert.AreEqual("12\t0:0\n12\t5:5\n", Save(stream => _mlContext.Data.SaveAsText(view, stream, schema: false)));
        Assert.AreEqual(
            "0 0 0 0 0 0 0 0 0 0 0 0\n0 0 0 0 0 5 0 0 0 0 0 0\n",
            Save(stream => _mlContext.Data.SaveAsText(view, stream, ' ', schema: false, forceDense: true)));
    }

    [TestMethod]
    public void What_is_saved_loads_again_and_the_stream_stays_open()
    {
        using MemoryStream stream = new();
        _mlContext.Data.SaveAsText(View(), stream);
        Assert.IsTrue(stream.CanWrite);
        using TextFile file = new(Encoding.UTF8.GetString(stream.ToArray()));
        TextLoader.Options options = new() { HasHeader = true, AllowQuoting = true, ReadMultilines = true, AllowSparse = true };
        Row[] loaded = [.. _mlContext.Data.CreateEnumerable<Row>(_mlContext.Data.LoadFromTextFile<Row>(file.Path, options), reuseRowObject: false)];
        CollectionAssert.AreEqual(Rows.Select(Show).ToArray(), loaded.Select(Show).ToArray());
    }

    [TestMethod]
    public void Hidden_columns_are_left_out_unless_asked_for()
    {
        IDataView view = _mlContext.Data.TakeRows(View(), 1);
        IDataView replaced = _mlContext.Transforms.CopyColumns("Text", "Int").Fit(view).Transform(view);
        StringAssert.StartsWith(Save(stream => _mlContext.Data.SaveAsText(replaced, stream, headerRow: false, schema: false)), "3\t1.5\t");
        StringAssert.StartsWith(
            Save(stream => _mlContext.Data.SaveAsText(replaced, stream, headerRow: false, schema: false, keepHidden: true)), "plain\t3\t1.5\t");
    }

    [TestMethod]
    public void The_separator_is_one_of_five()
    {
        using MemoryStream stream = new();
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.SaveAsText(View(), stream, 'x'));
    }

    private IDataView View() => _mlContext.Data.LoadFromEnumerable(Rows);

    private static string Save(Action<Stream> save)
    {
        using MemoryStream stream = new();
        save(stream);
        return Encoding.UTF8.GetString(stream.ToArray()).ReplaceLineEndings("\n");
    }

    private static string Show(Row row) => $"{row.Text} {row.Number} {row.Int} {row.Flag} {row.Double} {string.Join("|", row.Vector)}";

    public sealed class Row
    {
        [LoadColumn(0)]
        public string Text = "";

        [LoadColumn(1)]
        public float Number;

        [LoadColumn(2)]
        public int Int;

        [LoadColumn(3)]
        public bool Flag;

        [LoadColumn(4)]
        public double Double;

        [LoadColumn(5, 7)]
        [VectorType(3)]
        public float[] Vector = [];
    }

    public sealed class Wide
    {
        [VectorType(12)]
        public float[] Vector = [];
    }
}
