using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Ranks;

/// <summary>The ranks that tests of the training run on, themselves.</summary>
[TestClass]
public sealed class ThreadRankGroupTests
{
    [TestMethod]
    [DataRow(1, 7)]
    [DataRow(3, 2)]
    [DataRow(4, 10)]
    public void Sums_shards_and_broadcasts_are_those_of_plain_arithmetic(int size, long length)
    {
        ThreadRankGroup.Run(size, ranks =>
        {
            using IDisposable scope = NewDisposeScope();
            Tensor mine = arange(length, ScalarType.Float64) + ranks.Rank, expected = (arange(length, ScalarType.Float64) * size) + (size * (size - 1) / 2);
            Shard shard = Shard.Of(length, ranks.Rank, size);
            Tensor sum = mine.clone(), owned = mine.clone(), sent = mine.to(ScalarType.Int64);

            ranks.Sum(sum);
            ranks.SumShards(owned);
            Tensor ownPiece = owned.narrow(0, shard.Start, shard.Length).clone();
            ranks.GatherShards(owned);
            ranks.Broadcast(sent, size - 1);

            Assert.IsTrue(sum.Equals(expected));
            Assert.IsTrue(ownPiece.Equals(expected.narrow(0, shard.Start, shard.Length)));
            Assert.IsTrue(owned.Equals(expected));
            Assert.IsTrue(sent.Equals(arange(length, ScalarType.Int64) + size - 1));
        });
    }

    [TestMethod]
    public void Unequal_calls_are_an_error_on_every_rank_that_names_them()
    {
        string[] errors = ThreadRankGroup.Run(3, ranks =>
        {
            using Tensor tensor = zeros(ranks.Rank == 1 ? 100 : 200);
            return Assert.ThrowsExactly<UnequalCallsException>(() =>
            {
                if (ranks.Rank == 1)
                    ranks.Broadcast(tensor);
                else
                    ranks.Sum(tensor);
            }).Message;
        });
        foreach (string error in errors)
            Assert.AreEqual("ranks 0 and 2 sum 200 elements of float32, while rank 1 broadcasts 100 elements of float32 from rank 0: every rank must make the same calls, in the same order.", error);
    }

    [TestMethod]
    public void Nobody_waits_for_a_rank_that_has_left()
    {
        string[] errors = ThreadRankGroup.Run(3, ranks => ranks.Rank == 2 ? "" : Assert.ThrowsExactly<UnequalCallsException>(ranks.Barrier).Message);
        CollectionAssert.AreEqual(new[] { 0, 0, -1 }, errors.Select(error => error.IndexOf("ranks 0 and 1 wait for all, while rank 2 ends", StringComparison.Ordinal)).ToArray());
    }

    [TestMethod]
    public void An_abort_ends_those_who_wait()
    {
        AggregateException thrown = Assert.ThrowsExactly<AggregateException>(() => ThreadRankGroup.Run(2, ranks =>
        {
            if (ranks.Rank == 1)
                ranks.Abort("no more");
            ranks.Barrier();
        }));
        foreach (Exception e in thrown.InnerExceptions)
            Assert.AreEqual("Rank 1 aborted: no more", e.Message);
    }
}
