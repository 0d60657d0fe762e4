using System.Text.Json;
using MLNetExtension.Data;
using MLNetExtension.MLNet.Archive;

namespace MLNetExtension.Tests.Data;

/// <summary>Curricula: rows in the order of a column.</summary>
[TestClass]
public sealed class RowOrderTests
{
    private static readonly double[] Values = [3, 1, 2, 1, double.NegativeInfinity, 2, 1, 3, 1, 1e300];

    [TestMethod]
    public void Rows_ascend_in_every_epoch_and_equal_ones_change_places()
    {
        EpochSampler sampler = new(Values.Length, seed: 1, RowOrder.Ascending("Difficulty"), Values);
        string[] orders = [.. Enumerable.Range(0, 20).Select(epoch => string.Join(' ', sampler.Order(epoch)))];
        foreach (int[] order in Enumerable.Range(0, 20).Select(sampler.Order))
        {
            CollectionAssert.AreEqual(Values.Order().ToArray(), order.Select(row => Values[row]).ToArray());
            CollectionAssert.AreEquivalent(Enumerable.Range(0, Values.Length).ToArray(), order);
        }
        // Four rows of 1, two of 2 and two of 3: 96 orders.
        Assert.IsGreaterThan(15, orders.Distinct().Count());
        CollectionAssert.AreEqual(sampler.Order(7), new EpochSampler(Values.Length, seed: 1, RowOrder.Ascending("Other"), Values).Order(7));
        CollectionAssert.AreNotEqual(sampler.Order(7), new EpochSampler(Values.Length, seed: 2, RowOrder.Ascending("Difficulty"), Values).Order(7));
    }

    // SortaGrad: what comes after is the order of a training without a curriculum.
    [TestMethod]
    public void A_curriculum_of_some_epochs_is_followed_by_shuffled_ones()
    {
        EpochSampler sampler = new(Values.Length, seed: 1, RowOrder.Ascending("Difficulty", epochs: 2), Values), shuffled = new(Values.Length, seed: 1);
        for (int epoch = 0; epoch < 2; epoch++)
            CollectionAssert.AreEqual(Values.Order().ToArray(), sampler.Order(epoch).Select(row => Values[row]).ToArray());
        CollectionAssert.AreEqual(shuffled.Order(2), sampler.Order(2));
        CollectionAssert.AreEqual(shuffled.Order(int.MaxValue), sampler.Order(int.MaxValue));
    }

    [TestMethod]
    public void A_batch_says_the_mean_of_the_column_over_its_rows()
    {
        TokenExample[] rows = Ragged.Examples(4);
        BatchSequence batches = new(rows, EpochDivision.ByRows(4, 3), new EpochSampler(4, seed: 1, RowOrder.Ascending("Difficulty"), [5, 1, 3, 2]));
        CollectionAssert.AreEqual(new double?[] { 2, 5, 2 }, batches.StartAt(0).Take(3).Select(batch => batch.OrderValue).ToArray());
        Assert.IsNull(new BatchSequence(rows, EpochDivision.ByRows(4, 3), new EpochSampler(4, seed: 1)).StartAt(0).First().OrderValue);
    }

    // The first two are what archives of earlier versions hold.
    [TestMethod]
    [DataRow("\"Shuffled\"")]
    [DataRow("\"AsGiven\"")]
    [DataRow("""{"column":"Length","epochs":1}""")]
    [DataRow("""{"column":"Length","epochs":null}""")]
    public void An_order_is_written_as_it_is_read(string json)
    {
        JsonSerializerOptions options = new(ArchiveJson.Options) { WriteIndented = false };
        RowOrder order = JsonSerializer.Deserialize<RowOrder>(json, options)!;
        Assert.AreEqual(json, JsonSerializer.Serialize(order, options));
        Assert.AreEqual(json.Contains("Shuffled"), order == RowOrder.Shuffled);
        Assert.AreEqual(json.Contains("AsGiven"), order == RowOrder.AsGiven);
    }

    [TestMethod]
    [DataRow("7")]
    [DataRow("\"Sorted\"")]
    [DataRow("{}")]
    [DataRow("""{"column":null}""")]
    public void What_is_no_order_is_refused(string json) => Assert.ThrowsExactly<JsonException>(() => JsonSerializer.Deserialize<RowOrder>(json, ArchiveJson.Options));
}
