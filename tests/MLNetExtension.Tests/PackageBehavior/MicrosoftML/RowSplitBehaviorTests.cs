using Microsoft.ML;

namespace MLNetExtension.Tests.PackageBehavior.MicrosoftML;

/// <summary>
/// ML.NET deals the same rows to the same side for the same seed and keeps rows of a key together: the samples (<c>RowSplit</c>, <c>ApiDocs</c>, <c>SupportReplies</c>) split again to evaluate
/// what they trained, and <see cref="MLNetExtension.CausalLanguageModelingCatalog.CrossValidate"/> promises the second.
/// </summary>
[TestClass]
public sealed class RowSplitBehaviorTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void A_split_has_every_row_once_in_order_and_the_same_ones_each_time()
    {
        DataOperationsCatalog.TrainTestData split = _mlContext.Data.TrainTestSplit(View(1000), 0.3, seed: 1);
        int[] train = Ids(split.TrainSet), test = Ids(split.TestSet);

        CollectionAssert.AreEqual(Enumerable.Range(0, 1000).ToArray(), train.Concat(test).Order().ToArray());
        CollectionAssert.AreEqual(train.Order().ToArray(), train);
        CollectionAssert.AreEqual(test.Order().ToArray(), test);
        Assert.AreEqual(300, test.Length, 60, "4 standard deviations");
        CollectionAssert.AreEqual(test, Ids(split.TestSet), "the second reading");
    }

    // Other rows would put what a saved model was trained on among what it is evaluated on, and change every figure that is quoted of held-out rows.
    [TestMethod]
    public void A_seed_gives_these_very_rows_whatever_the_context()
    {
        foreach (MLContext mlContext in new[] { _mlContext, new MLContext(seed: 2), new MLContext() })
        {
            CollectionAssert.AreEqual(new[] { 2, 9, 10, 12, 13 }, Ids(mlContext.Data.TrainTestSplit(View(20), 0.3, seed: 1).TestSet));
            CollectionAssert.AreEqual(new[] { 5, 6, 10, 18 }, Ids(mlContext.Data.TrainTestSplit(View(20), 0.3, seed: 42).TestSet));
        }
    }

    [TestMethod]
    public void Folds_keep_the_rows_of_a_key_together()
    {
        var folds = _mlContext.Data.CrossValidationSplit(View(200), numberOfFolds: 3, samplingKeyColumnName: "Group", seed: 3);

        CollectionAssert.AreEquivalent(Enumerable.Range(0, 200).ToArray(), folds.SelectMany(fold => Ids(fold.TestSet)).ToArray());
        foreach (DataOperationsCatalog.TrainTestData fold in folds)
        {
            CollectionAssert.AreEqual(Enumerable.Range(0, 200).Except(Ids(fold.TestSet)).ToArray(), Ids(fold.TrainSet));
            Assert.IsEmpty(Groups(fold.TestSet).Intersect(Groups(fold.TrainSet)));
        }
    }

    // Four rows to a group.
    private IDataView View(int count) => _mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, count).Select(id => new Row { Id = id, Group = $"g{id / 4}" }));

    private int[] Ids(IDataView view) => [.. Rows(view).Select(row => row.Id)];

    private string[] Groups(IDataView view) => [.. Rows(view).Select(row => row.Group)];

    private IEnumerable<Row> Rows(IDataView view) => _mlContext.Data.CreateEnumerable<Row>(view, reuseRowObject: false);

    private sealed class Row
    {
        public int Id { get; set; }

        public string Group { get; set; } = "";
    }
}
