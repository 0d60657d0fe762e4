using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Text;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

/// <summary>What we rely on where columns are copied, dropped, selected and concatenated.</summary>
[TestClass]
public sealed class TransformsColumnsTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void A_copied_column_comes_last_unless_its_name_is_taken_then_it_hides_the_old_one()
    {
        Assert.AreEqual("Text, X, Y, Count, Vector, Words, Copy", Names(_mlContext.Transforms.CopyColumns("Copy", "Text")));
        Assert.AreEqual("(Text), Text, X, Y, Count, Vector, Words", Names(_mlContext.Transforms.CopyColumns("Text", "X")));
        Assert.AreEqual("1.5", Values(_mlContext.Transforms.CopyColumns("Text", "X"), "Text")[0]);
        Assert.AreEqual("1|0|0", Values(_mlContext.Transforms.CopyColumns("Copy", "Vector"), "Copy")[0]);
    }

    [TestMethod]
    public void Dropping_keeps_the_order_and_selecting_makes_it()
    {
        Assert.AreEqual("X, Y, Count, Words", Names(_mlContext.Transforms.DropColumns("Vector", "Text")));
        Assert.AreEqual("Vector, Text", Names(_mlContext.Transforms.SelectColumns("Vector", "Text")));
    }

    [TestMethod]
    public void Selecting_leaves_hidden_columns_behind_unless_told_to_keep_them()
    {
        IDataView view = View();
        IDataView replaced = _mlContext.Transforms.CopyColumns("Text", "X").Fit(view).Transform(view);
        Assert.AreEqual("Text", Names(_mlContext.Transforms.SelectColumns("Text"), replaced));
        Assert.AreEqual("(Text), Text", Names(_mlContext.Transforms.SelectColumns(["Text"], keepHidden: true), replaced));
        Assert.AreEqual("(Text), Text, Y, Count, Vector, Words", Names(_mlContext.Transforms.DropColumns("X"), replaced));
    }

    [TestMethod]
    public void Scalars_and_vectors_concatenate()
    {
        ITransformer model = _mlContext.Transforms.Concatenate("All", "X", "Vector", "Y").Fit(View());
        IDataView view = model.Transform(View());
        Assert.AreEqual("Vector<Single, 5>", view.Schema["All"].Type.ToString());
        CollectionAssert.AreEqual(new[] { "1.5|1|0|0|2", "2|4|5|6|3" }, Values(view, "All"));
    }

    [TestMethod]
    public void A_variable_vector_makes_a_variable_vector()
    {
        IDataView view = _mlContext.Transforms.Concatenate("All", "Text", "Words").Fit(View()).Transform(View());
        Assert.AreEqual("Vector<String>", view.Schema["All"].Type.ToString());
        CollectionAssert.AreEqual(new[] { "one|a|b", "|c" }, Values(view, "All"));
    }

    [TestMethod]
    public void One_vector_concatenated_is_itself()
    {
        IDataView view = _mlContext.Transforms.Concatenate("All", "Vector").Fit(View()).Transform(View());
        Assert.AreEqual("Vector<Single, 3>", view.Schema["All"].Type.ToString());
        CollectionAssert.AreEqual(new[] { "1|0|0", "4|5|6" }, Values(view, "All"));
    }

    [TestMethod]
    public void The_promised_schema_agrees_with_the_view()
    {
        SchemaShape shape = _mlContext.Transforms.CopyColumns("Copy", "Vector").GetOutputSchema(Shape());
        Assert.AreEqual("Copy:Vector:Single", Show(shape, "Copy"));
        Assert.HasCount(7, shape);
        shape = _mlContext.Transforms.CopyColumns("Text", "X").GetOutputSchema(Shape());
        Assert.AreEqual("Text:Scalar:Single", Show(shape, "Text"));
        Assert.HasCount(6, shape);
        Assert.AreEqual("All:Vector:Single", Show(_mlContext.Transforms.Concatenate("All", "X", "Vector").GetOutputSchema(Shape()), "All"));
        Assert.AreEqual("All:VariableVector:String", Show(_mlContext.Transforms.Concatenate("All", "Text", "Words").GetOutputSchema(Shape()), "All"));
        Assert.AreEqual("Text,Vector", string.Join(',', _mlContext.Transforms.SelectColumns("Vector", "Text").GetOutputSchema(Shape()).Select(column => column.Name).Order()));
        Assert.AreEqual("Count,Words", string.Join(',', _mlContext.Transforms.DropColumns("Vector", "Text", "X", "Y").GetOutputSchema(Shape()).Select(column => column.Name).Order()));
    }

    [TestMethod]
    public void The_promised_schema_keeps_the_annotations_of_columns_that_are_copied_or_passed_on()
    {
        SchemaShape names = new([NewColumn("SlotNames", SchemaShape.Column.VectorKind.Vector, TextDataViewType.Instance, false, new SchemaShape([]))]);
        SchemaShape shape = _mlContext.Transforms.CopyColumns("Copy", "Named")
            .GetOutputSchema(new SchemaShape([NewColumn("Named", SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, false, names)]));
        foreach (SchemaShape.Column column in shape)
            Assert.AreEqual("SlotNames:Vector:String", Show(column.Annotations, "SlotNames"), column.Name);
        Assert.HasCount(2, shape);
    }

    [TestMethod]
    public void A_missing_column_is_named_by_Fit_by_Transform_and_by_the_shape()
    {
        IEstimator<ITransformer>[] estimators =
        [
            _mlContext.Transforms.CopyColumns("Copy", "Other"),
            _mlContext.Transforms.DropColumns("Other", "Text"),
            _mlContext.Transforms.SelectColumns("Other", "Text"),
            _mlContext.Transforms.Concatenate("All", "X", "Other"),
        ];
        foreach (IEstimator<ITransformer> estimator in estimators)
        {
            Refused("inputSchema", "Could not find input column 'Other'", () => estimator.Fit(View()).Transform(View()));
            Refused("inputSchema", "Could not find input column 'Other'", () => estimator.GetOutputSchema(Shape()));
        }

        IDataView other = _mlContext.Data.LoadFromEnumerable([new Sparse()]);
        Refused("inputSchema", "Could not find input column 'Text'", () => _mlContext.Transforms.CopyColumns("Copy", "Text").Fit(View()).Transform(other));
        Refused("input", "Could not find input column 'Text,X'", () => _mlContext.Transforms.SelectColumns("Text", "X").Fit(View()).Transform(other));
        Refused("inputSchema", "Could not find input column 'X'", () => _mlContext.Transforms.DropColumns("X").Fit(View()).GetOutputSchema(other.Schema));
    }

    [TestMethod]
    public void Columns_of_different_types_do_not_concatenate()
    {
        Refused("inputSchema", "Schema mismatch for input column 'Count': expected Single, got Int32",
            () => _mlContext.Transforms.Concatenate("All", "X", "Count").Fit(View()).Transform(View()));
    }

    [TestMethod]
    public void No_column_names_are_refused_at_once()
    {
        Refused("inputColumnNames", "Input columns not specified", () => _mlContext.Transforms.Concatenate("All"));
        Refused("columns", "columns cannot be null or empty", () => _mlContext.Transforms.CopyColumns("Copy", null!));
        Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Transforms.DropColumns());
        Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Transforms.SelectColumns());
    }

    [TestMethod]
    public void Only_what_an_active_column_needs_is_read()
    {
        IEstimator<ITransformer>[] estimators =
            [_mlContext.Transforms.CopyColumns("New", "Text"), _mlContext.Transforms.Text.NormalizeText("New", "Text"), _mlContext.Transforms.Concatenate("New", "Text")];
        foreach (IEstimator<ITransformer> estimator in estimators)
        {
            ITransformer model = estimator.Fit(View());
            Assert.IsTrue(model.IsRowToRowMapper);
            IRowToRowMapper mapper = model.GetRowToRowMapper(View().Schema);
            Assert.AreEqual("Text", mapper.GetDependencies([mapper.OutputSchema["New"]]).Single().Name);
            Assert.AreEqual("X", mapper.GetDependencies([mapper.OutputSchema["X"]]).Single().Name);

            IDataView view = model.Transform(View());
            using DataViewRowCursor cursor = view.GetRowCursor([view.Schema["X"]]);
            Assert.IsFalse(cursor.IsColumnActive(view.Schema["New"]));
            Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["New"]));
            Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<int>(view.Schema["X"]));
        }

        IRowToRowMapper selected = ((ITransformer)_mlContext.Transforms.SelectColumns("Vector", "Text").Fit(View())).GetRowToRowMapper(View().Schema);
        Assert.AreEqual("Text", selected.GetDependencies([selected.OutputSchema["Text"]]).Single().Name);
    }

    [TestMethod]
    public void A_view_knows_its_row_count_if_its_source_does()
    {
        IDataView counted = _mlContext.Data.LoadFromEnumerable(new List<Row> { new() });
        Assert.AreEqual(1, _mlContext.Transforms.CopyColumns("Copy", "Text").Fit(counted).Transform(counted).GetRowCount());
        Assert.AreEqual(1, _mlContext.Transforms.DropColumns("Text").Fit(counted).Transform(counted).GetRowCount());
    }

    [TestMethod]
    public void A_chain_of_them_saves_loads_and_predicts()
    {
        ITransformer model = _mlContext.Transforms.CopyColumns("Copy", "Text")
            .Append(_mlContext.Transforms.Text.NormalizeText("Copy", caseMode: TextNormalizingEstimator.CaseMode.Upper, keepPunctuations: false))
            .Append(_mlContext.Transforms.Concatenate("All", "X", "Vector"))
            .Append(_mlContext.Transforms.DropColumns("Vector"))
            .Append(_mlContext.Transforms.SelectColumns(["Copy", "All"], keepHidden: true))
            .Fit(View());
        using MemoryStream stream = new();
        _mlContext.Model.Save(model, View().Schema, stream);
        stream.Position = 0;
        ITransformer loaded = new MLContext().Model.Load(stream, out DataViewSchema schema);
        Assert.AreEqual(
            string.Join(",", model.GetOutputSchema(View().Schema).Select(column => column.Name)),
            string.Join(",", loaded.GetOutputSchema(schema).Select(column => column.Name)));
        foreach (ITransformer each in new[] { model, loaded })
        {
            using PredictionEngine<Row, Prediction> engine = _mlContext.Model.CreatePredictionEngine<Row, Prediction>(each);
            Prediction prediction = engine.Predict(new Row { Text = "É, e!", X = 9, Vector = [1, 2, 3] });
            Assert.AreEqual("E E", prediction.Copy);
            CollectionAssert.AreEqual(new float[] { 9, 1, 2, 3 }, prediction.All);
        }
    }

    private static void Refused(string parameter, string message, Action act)
    {
        ArgumentOutOfRangeException thrown = Assert.ThrowsExactly<ArgumentOutOfRangeException>(act);
        Assert.AreEqual(parameter, thrown.ParamName);
        StringAssert.StartsWith(thrown.Message, message);
    }

    private IDataView View() => _mlContext.Data.LoadFromEnumerable(
    [
        new Row { Text = "one", X = 1.5f, Y = 2, Count = 3, Vector = [1, 0, 0], Words = ["a", "b"] },
        new Row { Text = "", X = 2, Y = 3, Count = 4, Vector = [4, 5, 6], Words = ["c"] },
    ]);

    private static SchemaShape Shape()
    {
        SchemaShape none = new([]);
        return new SchemaShape(
        [
            NewColumn("Text", SchemaShape.Column.VectorKind.Scalar, TextDataViewType.Instance, false, none),
            NewColumn("X", SchemaShape.Column.VectorKind.Scalar, NumberDataViewType.Single, false, none),
            NewColumn("Y", SchemaShape.Column.VectorKind.Scalar, NumberDataViewType.Single, false, none),
            NewColumn("Count", SchemaShape.Column.VectorKind.Scalar, NumberDataViewType.Int32, false, none),
            NewColumn("Vector", SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, false, none),
            NewColumn("Words", SchemaShape.Column.VectorKind.VariableVector, TextDataViewType.Instance, false, none),
        ]);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    private static extern SchemaShape.Column NewColumn(
        string name, SchemaShape.Column.VectorKind kind, DataViewType itemType, bool isKey, SchemaShape annotations);

    private static string Show(SchemaShape shape, string name)
    {
        SchemaShape.Column column = shape.Single(candidate => candidate.Name == name);
        return $"{column.Name}:{column.Kind}:{column.ItemType}";
    }

    private string Names(IEstimator<ITransformer> estimator, IDataView? input = null)
    {
        input ??= View();
        ITransformer model = estimator.Fit(input);
        string names = Names(model.Transform(input).Schema);
        Assert.AreEqual(names, Names(model.GetOutputSchema(input.Schema)));
        return names;
    }

    private static string Names(DataViewSchema schema) =>
        string.Join(", ", schema.Select(column => column.IsHidden ? $"({column.Name})" : column.Name));

    private string[] Values(IEstimator<ITransformer> estimator, string name) => Values(estimator.Fit(View()).Transform(View()), name);

    private static string[] Values(IDataView view, string name) => view.Schema[name].Type switch
    {
        VectorDataViewType { ItemType: TextDataViewType } =>
            [.. view.GetColumn<VBuffer<ReadOnlyMemory<char>>>(name).Select(value => string.Join("|", value.DenseValues()))],
        VectorDataViewType => [.. view.GetColumn<VBuffer<float>>(name).Select(value => string.Join("|", value.DenseValues()))],
        _ => [.. view.GetColumn<float>(name).Select(value => value.ToString())],
    };

    public sealed class Row
    {
        public string Text = "";
        public float X;
        public float Y;
        public int Count;

        [VectorType(3)]
        public float[] Vector = [0, 0, 0];

        public string[] Words = [];
    }

    public sealed class Sparse
    {
        [VectorType(8)]
        public VBuffer<float> A;

        public float B;
    }

    public sealed class Prediction
    {
        public string Copy = "";
        public float[] All = [];
    }
}
