using MLNetExtension.Data;

namespace MLNetExtension.Tests.Data;

[TestClass]
public sealed class EpochSamplerTests
{
    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(1000)]
    public void An_order_is_a_permutation(int count) =>
        CollectionAssert.AreEqual(Enumerable.Range(0, count).ToArray(), new EpochSampler(count, 3).Order(2).Order().ToArray());

    [TestMethod]
    public void The_order_is_a_function_of_seed_and_epoch()
    {
        CollectionAssert.AreEqual(new EpochSampler(50, 1).Order(7), new EpochSampler(50, 1).Order(7));
        CollectionAssert.AreNotEqual(new EpochSampler(50, 1).Order(7), new EpochSampler(50, 1).Order(8));
        CollectionAssert.AreNotEqual(new EpochSampler(50, 1).Order(7), new EpochSampler(50, 2).Order(7));
    }

    // A run must be resumable by a later version: should this fail, the shuffle changed and with it every model.
    [TestMethod]
    public void The_order_never_changes_between_versions() =>
        CollectionAssert.AreEqual(new[] { 0, 5, 7, 2, 1, 3, 4, 6 }, new EpochSampler(8, 1).Order(0));

    [TestMethod]
    public void Every_row_is_as_likely_to_come_first()
    {
        int[] firsts = new int[5];
        for (int epoch = 0; epoch < 5000; epoch++)
            firsts[new EpochSampler(5, 11).Order(epoch)[0]]++;
        // 1000 expected, standard deviation 28: five of them either way.
        foreach (int count in firsts)
            Assert.AreEqual(1000, count, 140);
    }

    [TestMethod]
    public void Rows_as_given_are_visited_in_their_order_in_every_epoch()
    {
        EpochSampler sampler = new(7, seed: 3, RowOrder.AsGiven);
        foreach (int epoch in new[] { 0, 1, 9 })
            CollectionAssert.AreEqual(Enumerable.Range(0, 7).ToArray(), sampler.Order(epoch));
    }
}
