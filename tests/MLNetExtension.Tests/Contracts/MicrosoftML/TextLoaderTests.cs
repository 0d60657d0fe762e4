using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

/// <summary>What we rely on in <c>LoadFromTextFile</c>; runs against the genuine package and the stand-in alike.</summary>
[TestClass]
public sealed class TextLoaderTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly List<string> _log = [];

    [TestInitialize]
    public void Listen() => _mlContext.Log += (_, message) => _log.Add(message.RawMessage);

    [TestMethod]
    public void Fields_become_columns_of_the_member_types_in_the_order_fields_then_properties()
    {
        using TextFile file = new("a\t1.5\t-2\t9000000000\ttrue\t1\t2\t3\n");
        IDataView view = _mlContext.Data.LoadFromTextFile<Row>(file.Path);

        Assert.AreEqual(
            "Number:Single, Int:Int32, Long:Int64, Flag:Boolean, Vector:Vector<Single, 3>, Text:String",
            string.Join(", ", view.Schema.Select(column => $"{column.Name}:{column.Type}")));
        Assert.AreEqual("a 1.5 -2 9000000000 True 1|2|3", Single(view));
    }

    [TestMethod]
    public void A_column_name_attribute_names_the_column()
    {
        using TextFile file = new("x\ty\n");
        IDataView view = _mlContext.Data.LoadFromTextFile<Renamed>(file.Path);
        Assert.AreEqual("Completion", view.Schema.Single().Name);
        Assert.AreEqual("y", view.GetColumn<string>("Completion").Single());
    }

    [TestMethod]
    public void Blank_and_comment_lines_are_not_rows_but_lines_of_spaces_are()
    {
        using TextFile file = new("#@ leading\n\n// comment\na\n\n//inside\n#b\n  \n");
        CollectionAssert.AreEqual(new[] { "a", "#b", "" }, Texts(_mlContext.Data.LoadFromTextFile<OneText>(file.Path)));
    }

    [TestMethod]
    public void The_header_is_not_a_row()
    {
        using TextFile file = new("Text\na\n");
        CollectionAssert.AreEqual(new[] { "a" }, Texts(_mlContext.Data.LoadFromTextFile<OneText>(file.Path, hasHeader: true)));
    }

    [TestMethod]
    public void A_missing_field_is_the_default_value_and_missing_reals_are_NaN_only_on_request()
    {
        using TextFile file = new("a\n");
        Assert.AreEqual("a 0 0 0 False 0|0|0", Single(_mlContext.Data.LoadFromTextFile<Row>(file.Path)));
        Assert.AreEqual("a NaN 0 0 False NaN|NaN|NaN",
            Single(_mlContext.Data.LoadFromTextFile<Row>(file.Path, new TextLoader.Options { MissingRealsAsNaNs = true })));
    }

    [TestMethod]
    [DataRow("?")]
    [DataRow("NaN")]
    [DataRow("na")]
    [DataRow("N/A")]
    public void A_missing_value_mark_of_a_real_is_NaN_and_not_reported(string mark)
    {
        using TextFile file = new($"a\t{mark}\n");
        StringAssert.StartsWith(Single(_mlContext.Data.LoadFromTextFile<Row>(file.Path)), "a NaN ");
        Assert.IsFalse(_log.Any(line => line.Contains("Bad value", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void Text_that_is_no_real_is_NaN_and_reported_with_line_and_column()
    {
        using TextFile file = new("a\n\nb\tx\t1\t1\t1\t1\ty\n");
        IDataView view = _mlContext.Data.LoadFromTextFile<Row>(file.Path);
        Assert.AreEqual("b NaN 1 1 True 1|NaN|0", Rows(view)[1]);
        CollectionAssert.Contains(_log, "  Bad value at line 3 in column Number");
        CollectionAssert.Contains(_log, "  Bad value at line 3 in column Vector at slot 1");
        CollectionAssert.Contains(_log, "Processed 2 rows with 2 bad values and 0 format errors");
    }

    [TestMethod]
    [DataRow("a\t1\tx", "Could not parse value x in line 1, column Int")]
    [DataRow("a\t1\t?", "Could not parse value ? in line 1, column Int")]
    [DataRow("a\t1\t 7 ", "Could not parse value 7  in line 1, column Int")]
    [DataRow("a\t1\t3000000000", "Could not parse value 3000000000 in line 1, column Int")]
    [DataRow("a\t1\t1\t1\tmaybe", "Could not parse value maybe in line 1, column Flag")]
    public void Text_that_is_no_integer_or_boolean_stops_the_reading(string line, string message)
    {
        using TextFile file = new(line + "\n");
        IDataView view = _mlContext.Data.LoadFromTextFile<Row>(file.Path);
        FormatException thrown = Assert.ThrowsExactly<FormatException>(() => Rows(view));
        StringAssert.StartsWith(thrown.Message, "Parsing failed with an exception: ");
        Assert.AreEqual(message, thrown.InnerException!.Message);
    }

    [TestMethod]
    [DataRow("1,true,T,yes,Y,+1,+", true)]
    [DataRow("0,false,F,no,N,-1,-", false)]
    public void Booleans_have_many_spellings(string spellings, bool value)
    {
        foreach (string spelling in spellings.Split(','))
        {
            using TextFile file = new($"{spelling}\n");
            Assert.AreEqual(value, _mlContext.Data.LoadFromTextFile<OneFlag>(file.Path).GetColumn<bool>("Flag").Single(), spelling);
        }
    }

    [TestMethod]
    public void Only_active_columns_are_parsed()
    {
        using TextFile file = new("a\t1\tno integer\n");
        IDataView view = _mlContext.Data.LoadFromTextFile<Row>(file.Path);
        using DataViewRowCursor cursor = view.GetRowCursor([view.Schema["Text"]]);
        Assert.IsTrue(cursor.MoveNext());
        Assert.IsFalse(cursor.IsColumnActive(view.Schema["Number"]));
        Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<float>(view.Schema["Number"]));
        Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<float>(view.Schema["Text"]));
        ReadOnlyMemory<char> text = default;
        cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["Text"])(ref text);
        Assert.AreEqual("a", text.ToString());
        Assert.IsFalse(cursor.MoveNext());
    }

    [TestMethod]
    public void A_quoted_field_may_hold_separators_and_doubled_quotes()
    {
        using TextFile file = new("  \"a\tb \"\"q\"\"\"  \t2\n");
        TextLoader.Options options = new() { AllowQuoting = true };
        StringAssert.StartsWith(Single(_mlContext.Data.LoadFromTextFile<Row>(file.Path, options)), "a\tb \"q\" 2 ");
        Assert.AreEqual("\"a", Texts(_mlContext.Data.LoadFromTextFile<OneText>(file.Path)).Single(), "quotes are plain characters by default");
    }

    [TestMethod]
    public void A_wrongly_quoted_field_is_empty_and_reported()
    {
        using TextFile file = new("\"abc\"x\t1\n\"open\t1\n");
        IDataView view = _mlContext.Data.LoadFromTextFile<Row>(file.Path, allowQuoting: true);
        CollectionAssert.AreEqual(new[] { " 1 0 0 False 0|0|0", " 0 0 0 False 0|0|0" }, Rows(view));
        CollectionAssert.Contains(_log, $"Format error at {file.Path}(1,1)-(1,7): Illegal quoting");
        CollectionAssert.Contains(_log, "Processed 2 rows with 0 bad values and 2 format errors");
    }

    [TestMethod]
    public void A_quoted_field_spans_lines_only_on_request()
    {
        using TextFile file = new("\"a\n\n\"\"b\"\n c\n");
        TextLoader.Options options = new() { AllowQuoting = true, ReadMultilines = true };
        CollectionAssert.AreEqual(new[] { "a\n\n\"b", "c" }, Texts(_mlContext.Data.LoadFromTextFile<OneText>(file.Path, options)));
        CollectionAssert.AreEqual(new[] { "", "", "c" }, Texts(_mlContext.Data.LoadFromTextFile<OneText>(file.Path, allowQuoting: true)));
    }

    [TestMethod]
    public void A_quoted_field_without_an_end_stops_the_reading()
    {
        using TextFile file = new("\"a\nb\n");
        IDataView view = _mlContext.Data.LoadFromTextFile<OneText>(file.Path, new TextLoader.Options { AllowQuoting = true, ReadMultilines = true });
        Assert.ThrowsExactly<FormatException>(() => Texts(view));
    }

    [TestMethod]
    public void Trimming_removes_white_space_at_line_ends_and_leading_spaces_go_always()
    {
        using TextFile file = new("  a b \t c  \n d  \n");
        CollectionAssert.AreEqual(new[] { "a b ", "d" }, Texts(_mlContext.Data.LoadFromTextFile<OneText>(file.Path, trimWhitespace: true)));
        CollectionAssert.AreEqual(new[] { "a b ", "d  " }, Texts(_mlContext.Data.LoadFromTextFile<OneText>(file.Path)));
    }

    [TestMethod]
    public void Separators_are_a_choice_and_some_characters_are_none()
    {
        using TextFile file = new("a,1;2\n");
        TextLoader.Options options = new() { Separators = [',', ';'] };
        StringAssert.StartsWith(Single(_mlContext.Data.LoadFromTextFile<Row>(file.Path, options)), "a 1 2 ");
        StringAssert.StartsWith(Single(_mlContext.Data.LoadFromTextFile<Row>(file.Path, separatorChar: ';')), "a,1 2 ");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.LoadFromTextFile<Row>(file.Path, separatorChar: '3'));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.LoadFromTextFile<Row>(file.Path, separatorChar: '"'));
    }

    [TestMethod]
    public void A_sparse_tail_names_its_length_then_index_and_value()
    {
        using TextFile file = new("a\t1\t2\t3\ttrue\t3\t1:7\n");
        Assert.AreEqual("a 1 2 3 True 0|7|0", Single(_mlContext.Data.LoadFromTextFile<Row>(file.Path, allowSparse: true)));
    }

    [TestMethod]
    public void The_number_of_rows_may_be_limited()
    {
        using TextFile file = new("a\nb\nc\n");
        CollectionAssert.AreEqual(new[] { "a", "b" }, Texts(_mlContext.Data.LoadFromTextFile<OneText>(file.Path, new TextLoader.Options { MaxRows = 2 })));
    }

    [TestMethod]
    public void The_view_reads_anew_for_every_cursor_and_knows_no_row_count()
    {
        using TextFile file = new("a\r\nb\r\n");
        IDataView view = _mlContext.Data.LoadFromTextFile<OneText>(file.Path);
        Assert.IsNull(view.GetRowCount());
        Assert.IsFalse(view.CanShuffle);
        CollectionAssert.AreEqual(new[] { "a", "b" }, Texts(view));
        CollectionAssert.AreEqual(new[] { "a", "b" }, Texts(view));
        File.AppendAllText(file.Path, "c");
        CollectionAssert.AreEqual(new[] { "a", "b", "c" }, Texts(view));
        File.Delete(file.Path);
        Assert.ThrowsExactly<FormatException>(() => Texts(view));
    }

    [TestMethod]
    public void Two_cursors_at_once_do_not_disturb_each_other()
    {
        using TextFile file = new("a\nb\n");
        IDataView view = _mlContext.Data.LoadFromTextFile<OneText>(file.Path);
        CollectionAssert.AreEqual(
            new[] { "aa", "bb" },
            view.GetColumn<string>("Text").Zip(view.GetColumn<string>("Text"), (one, other) => one + other).ToArray());
    }

    [TestMethod]
    public void A_file_that_does_not_exist_is_named_at_once()
    {
        ArgumentOutOfRangeException thrown = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => _mlContext.Data.LoadFromTextFile<Row>("no/such.txt"));
        Assert.AreEqual("path", thrown.ParamName);
        StringAssert.StartsWith(thrown.Message, "File or directory does not exist at path: no/such.txt");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.LoadFromTextFile<Row>(""));
    }

    [TestMethod]
    public void A_member_without_its_field_or_of_another_type_is_named()
    {
        using TextFile file = new("a\n");
        Assert.AreEqual(
            "Field 'Other' is missing the LoadColumnAttribute attribute",
            Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Data.LoadFromTextFile<Unmapped>(file.Path)).Message);
        Assert.AreEqual(
            "Property Other is of unsupported type.",
            Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Data.LoadFromTextFile<Unsupported>(file.Path)).Message);
    }

    private static string[] Texts(IDataView view) => [.. view.GetColumn<string>("Text")];

    private string Single(IDataView view) => Rows(view).Single();

    private string[] Rows(IDataView view) =>
    [
        .. _mlContext.Data.CreateEnumerable<Row>(view, reuseRowObject: false)
            .Select(row => $"{row.Text} {row.Number} {row.Int} {row.Long} {row.Flag} {string.Join("|", row.Vector)}"),
    ];

    public sealed class Row
    {
        [LoadColumn(0)]
        public string Text { get; set; } = "";

        [LoadColumn(1)]
        public float Number;

        [LoadColumn(2)]
        public int Int;

        [LoadColumn(3)]
        public long Long;

        [LoadColumn(4)]
        public bool Flag;

        [LoadColumn(5, 7)]
        [VectorType(3)]
        public float[] Vector = [];
    }

    public sealed class OneText
    {
        [LoadColumn(0)]
        public string Text { get; set; } = "";
    }

    public sealed class OneFlag
    {
        [LoadColumn(0)]
        public bool Flag { get; set; }
    }

    public sealed class Renamed
    {
        [LoadColumn(1)]
        [ColumnName("Completion")]
        public string Text { get; set; } = "";
    }

    public sealed class Unmapped
    {
        [LoadColumn(0)]
        public string Text = "";

        public string Other = "";
    }

    public sealed class Unsupported
    {
        [LoadColumn(0)]
        public object Other { get; set; } = "";
    }
}
