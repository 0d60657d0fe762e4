using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

/// <summary>What we rely on where rows are split, shuffled, taken, skipped and filtered.</summary>
[TestClass]
public sealed class TransformsRowsTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void A_split_is_disjoint_complete_in_order_and_of_the_same_schema()
    {
        IDataView data = View(1000);
        DataOperationsCatalog.TrainTestData split = _mlContext.Data.TrainTestSplit(data, 0.3);
        int[] train = Ids(split.TrainSet), test = Ids(split.TestSet);
        CollectionAssert.AreEqual(Enumerable.Range(0, 1000).ToArray(), train.Concat(test).Order().ToArray());
        CollectionAssert.AreEqual(train.Order().ToArray(), train);
        CollectionAssert.AreEqual(test.Order().ToArray(), test);
        Assert.AreEqual(300, test.Length, 60, "4 standard deviations");
        Assert.AreEqual(data.Schema.ToString(), split.TrainSet.Schema.ToString());
        CollectionAssert.AreEqual(Names(data), Names(split.TestSet));
        CollectionAssert.AreEqual(test, Ids(split.TestSet), "the second reading gives the same rows");
        Assert.IsNull(split.TrainSet.GetRowCount());
    }

    [TestMethod]
    public void A_split_is_a_function_of_its_seed_or_of_the_contexts()
    {
        IDataView data = View(20);
        // Rows that the genuine package gives; whoever splits by seed expects the same rows from either source.
        CollectionAssert.AreEqual(new[] { 2, 9, 10, 12, 13 }, Ids(_mlContext.Data.TrainTestSplit(data, 0.3, seed: 1).TestSet));
        CollectionAssert.AreEqual(new[] { 2, 9, 10, 12, 13 }, Ids(_mlContext.Data.TrainTestSplit(data, 0.3).TestSet));
        CollectionAssert.AreEqual(new[] { 5, 6, 10, 18 }, Ids(_mlContext.Data.TrainTestSplit(data, 0.3, seed: 42).TestSet));
        CollectionAssert.AreEqual(new[] { 5, 6, 10, 18 }, Ids(new MLContext().Data.TrainTestSplit(data, 0.3).TestSet));
    }

    [TestMethod]
    [DataRow("Group", null)]
    [DataRow("Group", 5)]
    [DataRow("Id", null)]
    public void A_split_by_a_key_column_keeps_equal_keys_together(string column, int? seed)
    {
        IDataView data = View(2000);
        DataOperationsCatalog.TrainTestData split = _mlContext.Data.TrainTestSplit(data, 0.25, column, seed);
        string[] train = [.. split.TrainSet.GetColumn<string>("Group").Distinct()];
        string[] test = [.. split.TestSet.GetColumn<string>("Group").Distinct()];
        if (column == "Group")
            Assert.IsFalse(train.Intersect(test).Any());
        Assert.AreEqual(2000, Ids(split.TrainSet).Concat(Ids(split.TestSet)).Distinct().Count());
        Assert.AreEqual(500, Ids(split.TestSet).Length, column == "Group" ? 160 : 80, "4 standard deviations");
        CollectionAssert.AreEqual(Ids(split.TestSet), Ids(_mlContext.Data.TrainTestSplit(data, 0.25, column, seed).TestSet));
    }

    [TestMethod]
    public void A_split_by_a_key_column_gives_these_very_rows()
    {
        IDataView data = View(20);
        CollectionAssert.AreEqual(new[] { 16, 17, 18, 19 }, Ids(_mlContext.Data.TrainTestSplit(data, 0.3, "Group").TestSet));
        CollectionAssert.AreEqual(new[] { 3, 10, 13, 16, 17 }, Ids(_mlContext.Data.TrainTestSplit(data, 0.3, "Id").TestSet));
        CollectionAssert.AreEqual(Array.Empty<int>(), Ids(_mlContext.Data.TrainTestSplit(data, 0.3, "Group", seed: 5).TestSet));
    }

    [TestMethod]
    public void Rows_with_an_empty_text_key_are_on_neither_side()
    {
        IDataView data = _mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, 40).Select(id => new Row { Id = id, Group = id % 4 == 0 ? "" : $"g{id}" }));
        DataOperationsCatalog.TrainTestData split = _mlContext.Data.TrainTestSplit(data, 0.5, "Group");
        CollectionAssert.AreEqual(
            Enumerable.Range(0, 40).Where(id => id % 4 != 0).ToArray(),
            Ids(split.TrainSet).Concat(Ids(split.TestSet)).Order().ToArray());
    }

    [TestMethod]
    [DataRow(0.0)]
    [DataRow(1.0)]
    [DataRow(-0.5)]
    [DataRow(double.NaN)]
    public void A_test_fraction_lies_inside_0_and_1(double fraction)
    {
        ArgumentOutOfRangeException thrown =
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.TrainTestSplit(View(3), fraction));
        Assert.AreEqual("testFraction", thrown.ParamName);
        StringAssert.StartsWith(thrown.Message, "Must be between 0 and 1 exclusive");
    }

    [TestMethod]
    public void A_split_by_a_column_that_is_not_there_says_so()
    {
        StringAssert.StartsWith(
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.TrainTestSplit(View(3), 0.1, "Other")).Message,
            "Could not find SamplingKeyColumn column 'Other'");
        Assert.ThrowsExactly<ArgumentNullException>(() => _mlContext.Data.TrainTestSplit(null!));
    }

    [TestMethod]
    public void Shuffling_with_a_seed_gives_the_same_permutation_every_time()
    {
        IDataView data = View(20);
        IDataView shuffled = _mlContext.Data.ShuffleRows(data, seed: 3, shufflePoolSize: 4, shuffleSource: false);
        int[] expected = [0, 4, 1, 5, 2, 6, 3, 8, 10, 12, 7, 9, 15, 14, 17, 11, 19, 16, 18, 13];
        CollectionAssert.AreEqual(expected, Ids(shuffled));
        CollectionAssert.AreEqual(expected, Ids(shuffled));
        Assert.IsTrue(shuffled.CanShuffle);
        CollectionAssert.AreEqual(Names(data), Names(shuffled));
    }

    [TestMethod]
    public void Without_a_seed_each_view_has_its_own_permutation_and_keeps_it()
    {
        IDataView data = View(200);
        IDataView one = _mlContext.Data.ShuffleRows(data), other = _mlContext.Data.ShuffleRows(data);
        CollectionAssert.AreEqual(Ids(one), Ids(one));
        CollectionAssert.AreNotEqual(Ids(one), Ids(other));
        CollectionAssert.AreEqual(Enumerable.Range(0, 200).ToArray(), Ids(other).Order().ToArray());
    }

    [TestMethod]
    public void A_pool_of_one_leaves_the_order_and_a_pool_of_none_is_refused()
    {
        CollectionAssert.AreEqual(
            Enumerable.Range(0, 20).ToArray(),
            Ids(_mlContext.Data.ShuffleRows(View(20), shufflePoolSize: 1, shuffleSource: false)));
        Assert.AreEqual(
            "shufflePoolSize",
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.ShuffleRows(View(1), shufflePoolSize: 0)).ParamName);
    }

    [TestMethod]
    public void A_shuffled_row_keeps_its_columns_together()
    {
        IDataView shuffled = _mlContext.Data.ShuffleRows(View(50), seed: 1);
        foreach (Row row in _mlContext.Data.CreateEnumerable<Row>(shuffled, reuseRowObject: false))
        {
            Assert.AreEqual($"g{row.Id / 4}", row.Group);
            CollectionAssert.AreEqual(new float[] { row.Id, 1 }, row.Vector);
        }
    }

    [TestMethod]
    public void Shuffling_also_permutes_a_source_that_can_shuffle()
    {
        IDataView shuffled = _mlContext.Data.ShuffleRows(_mlContext.Data.Cache(View(500)), seed: 1, shufflePoolSize: 2);
        int[] ids = Ids(shuffled);
        CollectionAssert.AreEqual(ids, Ids(shuffled));
        CollectionAssert.AreEqual(Enumerable.Range(0, 500).ToArray(), ids.Order().ToArray());
        Assert.IsTrue(ids.Take(50).Max() > 100, "a pool of two alone moves no row this far forward");
    }

    [TestMethod]
    public void Taking_and_skipping_cut_the_rows()
    {
        IDataView data = View(20);
        CollectionAssert.AreEqual(new[] { 0, 1, 2 }, Ids(_mlContext.Data.TakeRows(data, 3)));
        CollectionAssert.AreEqual(new[] { 17, 18, 19 }, Ids(_mlContext.Data.SkipRows(data, 17)));
        CollectionAssert.AreEqual(new[] { 2, 3, 4 }, Ids(_mlContext.Data.TakeRows(_mlContext.Data.SkipRows(data, 2), 3)));
        CollectionAssert.AreEqual(Array.Empty<int>(), Ids(_mlContext.Data.SkipRows(data, 100)));
        IDataView counted = _mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, 20).Select(Make).ToList());
        Assert.AreEqual(3, _mlContext.Data.TakeRows(counted, 3).GetRowCount());
        Assert.AreEqual(0, _mlContext.Data.SkipRows(counted, 30).GetRowCount());
        Assert.IsFalse(_mlContext.Data.TakeRows(counted, 3).CanShuffle);
        StringAssert.StartsWith(
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.TakeRows(data, 0)).Message, "Must be greater than zero.");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.SkipRows(data, -1));
    }

    [TestMethod]
    public void Cross_validation_tests_on_every_row_once_and_keeps_the_rows_of_a_key_together()
    {
        IDataView data = View(200);
        IReadOnlyList<DataOperationsCatalog.TrainTestData> folds = _mlContext.Data.CrossValidationSplit(data, numberOfFolds: 4, seed: 3);
        Assert.HasCount(4, folds);
        CollectionAssert.AreEquivalent(Enumerable.Range(0, 200).ToArray(), folds.SelectMany(fold => Ids(fold.TestSet)).ToArray());
        foreach (DataOperationsCatalog.TrainTestData fold in folds)
        {
            CollectionAssert.AreEqual(Enumerable.Range(0, 200).Except(Ids(fold.TestSet)).ToArray(), Ids(fold.TrainSet));
            CollectionAssert.AreEqual(Names(data), Names(fold.TestSet));
        }
        CollectionAssert.AreEqual(Ids(folds[0].TestSet), Ids(_mlContext.Data.CrossValidationSplit(data, numberOfFolds: 4, seed: 3)[0].TestSet));
        CollectionAssert.AreNotEqual(Ids(folds[0].TestSet), Ids(_mlContext.Data.CrossValidationSplit(data, numberOfFolds: 4, seed: 4)[0].TestSet));

        foreach (DataOperationsCatalog.TrainTestData fold in _mlContext.Data.CrossValidationSplit(data, numberOfFolds: 2, samplingKeyColumnName: "Group", seed: 3))
            Assert.IsFalse(fold.TestSet.GetColumn<string>("Group").Intersect(fold.TrainSet.GetColumn<string>("Group")).Any());

        StringAssert.StartsWith(
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.CrossValidationSplit(data, numberOfFolds: 1)).Message, "Must be more than 1");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.CrossValidationSplit(data, samplingKeyColumnName: "Other"));
    }

    [TestMethod]
    public void Taking_rows_reads_no_further_than_it_must()
    {
        int read = 0;
        IEnumerable<Row> Counted()
        {
            for (int id = 0; id < 100; id++, read++)
                yield return Make(id);
        }

        Assert.HasCount(3, Ids(_mlContext.Data.TakeRows(_mlContext.Data.LoadFromEnumerable(Counted()), 3)));
        Assert.IsTrue(read is >= 2 and <= 3, $"{read} rows read");
    }

    [TestMethod]
    public void A_range_filter_includes_its_lower_bound_only_and_drops_NaN()
    {
        IDataView data = View(20);
        CollectionAssert.AreEqual(new[] { 3, 4, 5 }, Ids(_mlContext.Data.FilterRowsByColumn(data, "Number", 3, 6)));
        CollectionAssert.AreEqual(new[] { 17, 18, 19 }, Ids(_mlContext.Data.FilterRowsByColumn(data, "Number", lowerBound: 17)));
        IDataView withNaN = _mlContext.Data.LoadFromEnumerable([Make(0), new Row { Id = 1, Number = float.NaN }, Make(2)]);
        CollectionAssert.AreEqual(new[] { 0, 2 }, Ids(_mlContext.Data.FilterRowsByColumn(withNaN, "Number")));
        CollectionAssert.AreEqual(new[] { 0, 2 }, Ids(_mlContext.Data.FilterRowsByMissingValues(withNaN, "Number")));
        Assert.IsNull(_mlContext.Data.FilterRowsByColumn(withNaN, "Number").GetRowCount());
    }

    [TestMethod]
    public void A_vector_with_one_missing_value_is_missing()
    {
        IDataView data = _mlContext.Data.LoadFromEnumerable([Make(0), new Row { Id = 1, Vector = [0, float.NaN] }]);
        CollectionAssert.AreEqual(new[] { 0 }, Ids(_mlContext.Data.FilterRowsByMissingValues(data, "Vector", "Number")));
    }

    [TestMethod]
    [DataRow("Group", "Schema mismatch for filter column 'Group': expected number, got String")]
    [DataRow("Id", "Column 'Id' does not have compatible type")]
    [DataRow("Other", "Column 'Other' not found")]
    public void A_range_filter_wants_a_real_column(string column, string message) =>
        StringAssert.StartsWith(
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.FilterRowsByColumn(View(3), column, 0, 1)).Message, message);

    [TestMethod]
    [DataRow("Id", "Column 'Id' has type Int32 which does not support missing values, so we cannot filter on them")]
    [DataRow("Other", "Source column 'Other' not found")]
    public void A_missing_value_filter_wants_columns_that_can_miss_values(string column, string message) =>
        StringAssert.StartsWith(
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Data.FilterRowsByMissingValues(View(3), column)).Message, message);

    [TestMethod]
    public void A_filter_reads_its_own_column_but_shows_only_what_is_asked_for()
    {
        IDataView filtered = _mlContext.Data.FilterRowsByColumn(View(20), "Number", 3, 6);
        using DataViewRowCursor cursor = filtered.GetRowCursor([filtered.Schema["Id"]]);
        Assert.IsFalse(cursor.IsColumnActive(filtered.Schema["Number"]));
        Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<float>(filtered.Schema["Number"]));
        Assert.IsTrue(cursor.MoveNext());
        Assert.AreEqual(0, cursor.Position);
    }

    private IDataView View(int count) => _mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, count).Select(Make));

    private static Row Make(int id) => new() { Id = id, Group = $"g{id / 4}", Number = id, Vector = [id, 1] };

    private static int[] Ids(IDataView view) => [.. view.GetColumn<int>("Id")];

    private static string[] Names(IDataView view) => [.. view.Schema.Select(column => $"{column.Name}:{column.Type}:{column.IsHidden}")];

    public sealed class Row
    {
        public int Id;
        public string Group = "";
        public float Number;

        [VectorType(2)]
        public float[] Vector = [0, 0];
    }
}
