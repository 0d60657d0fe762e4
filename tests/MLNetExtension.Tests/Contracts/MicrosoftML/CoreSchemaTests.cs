using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

[TestClass]
public sealed class CoreSchemaTests
{
    [TestMethod]
    public void Of_two_columns_with_one_name_the_later_hides_the_earlier()
    {
        DataViewSchema.Builder builder = new();
        builder.AddColumn("A", NumberDataViewType.Single);
        builder.AddColumn("B", TextDataViewType.Instance);
        builder.AddColumn("A", NumberDataViewType.Int32);
        DataViewSchema schema = builder.ToSchema();

        Assert.HasCount(3, schema);
        Assert.IsTrue(schema[0].IsHidden);
        Assert.IsFalse(schema[2].IsHidden);
        Assert.AreEqual(2, schema["A"].Index);
        Assert.AreEqual("B: String", schema[1].ToString());
        Assert.AreEqual("3 columns", schema.ToString());
        Assert.IsNull(schema.GetColumnOrNull("C"));
    }

    [TestMethod]
    public void A_column_that_is_not_there_is_named_in_the_exception()
    {
        DataViewSchema schema = new DataViewSchema.Builder().ToSchema();
        var missing = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => schema["Nope"]);
        Assert.AreEqual("name", missing.ParamName);
        Assert.StartsWith("Column 'Nope' not found", missing.Message);
        Assert.AreEqual("columnIndex", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => schema[0]).ParamName);
        Assert.AreEqual("name", Assert.ThrowsExactly<ArgumentNullException>(() => schema[""]).ParamName);
    }

    [TestMethod]
    public void Annotations_are_read_by_kind_and_only_as_their_own_type()
    {
        DataViewSchema.Annotations.Builder inner = new();
        inner.AddPrimitiveValue("Kind", TextDataViewType.Instance, "loss".AsMemory());
        inner.Add("Computed", NumberDataViewType.Int32, (ref int value) => value = 42);
        DataViewSchema.Builder builder = new();
        builder.AddColumn("A", NumberDataViewType.Single, inner.ToAnnotations());
        DataViewSchema.Column column = builder.ToSchema()["A"];

        ReadOnlyMemory<char> text = default;
        column.Annotations.GetValue("Kind", ref text);
        Assert.AreEqual("loss", text.ToString());
        int number = 0;
        column.Annotations.GetGetter<int>(column.Annotations.Schema["Computed"])(ref number);
        Assert.AreEqual(42, number);
        Assert.AreEqual("A: Single {Kind, Computed}", column.ToString());
        Assert.ThrowsExactly<InvalidOperationException>(() => column.Annotations.GetValue("Absent", ref number));
        Assert.ThrowsExactly<InvalidOperationException>(() => column.Annotations.GetValue("Kind", ref number));
        Assert.ThrowsExactly<ArgumentException>(() => inner.Add("Wrong", NumberDataViewType.Single, (ref int value) => value = 1));
        Assert.IsEmpty(DataViewSchema.Annotations.Empty.Schema);
    }

    [TestMethod]
    public void Annotations_are_taken_over_by_name()
    {
        DataViewSchema.Annotations.Builder source = new();
        source.AddPrimitiveValue("Keep", NumberDataViewType.Int32, 1);
        source.AddPrimitiveValue("Drop", NumberDataViewType.Int32, 2);
        DataViewSchema.Annotations.Builder taken = new();
        taken.Add(source.ToAnnotations(), name => name == "Keep");
        Assert.AreEqual("Keep", taken.ToAnnotations().ToString());
    }

    [TestMethod]
    public void Types_are_equal_by_what_they_hold_and_read_as_ML_NET_writes_them()
    {
        VectorDataViewType fixedSize = new(NumberDataViewType.Single, 3);
        VectorDataViewType matrix = new(NumberDataViewType.Single, 2, 0);
        Assert.AreEqual(fixedSize, new VectorDataViewType(NumberDataViewType.Single, 3));
        Assert.AreEqual(fixedSize.GetHashCode(), new VectorDataViewType(NumberDataViewType.Single, 3).GetHashCode());
        Assert.AreNotEqual(fixedSize, new VectorDataViewType(NumberDataViewType.Double, 3));
        Assert.AreEqual(typeof(VBuffer<float>), fixedSize.RawType);
        Assert.IsFalse(matrix.IsKnownSize);
        Assert.AreEqual("Vector<Single, 3>", fixedSize.ToString());
        Assert.AreEqual("Vector<Single, 2, *>", matrix.ToString());
        Assert.AreEqual("Vector<Single>", new VectorDataViewType(NumberDataViewType.Single).ToString());
        Assert.AreEqual("Key<UInt32, 0-4>", new KeyDataViewType(typeof(uint), 5).ToString());
        Assert.AreEqual(new KeyDataViewType(typeof(uint), 5), new KeyDataViewType(typeof(uint), 5ul));
        Assert.AreEqual("String Boolean Int64 DataViewRowId",
            $"{TextDataViewType.Instance} {BooleanDataViewType.Instance} {NumberDataViewType.Int64} {RowIdDataViewType.Instance}");
        Assert.AreEqual("count", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new KeyDataViewType(typeof(byte), 300)).ParamName);
        Assert.AreEqual("type", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new KeyDataViewType(typeof(int), 3)).ParamName);
        Assert.AreEqual("00000000000000020000000000000001", new DataViewRowId(1, 2).ToString());
    }

    [TestMethod]
    public void A_schema_shape_needs_columns_that_were_made()
    {
        SchemaShape.Column column = CoreModelBridge.ShapeColumn("A", SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, false, null);
        SchemaShape shape = new([column]);
        Assert.HasCount(1, shape);
        Assert.AreEqual(SchemaShape.Column.VectorKind.Vector, shape[0].Kind);
        Assert.IsEmpty(shape[0].Annotations);
        Assert.AreEqual("columns", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new SchemaShape([default])).ParamName);
    }
}
