using MLNetExtension.Data;

namespace MLNetExtension.Tests.Data;

[TestClass]
public sealed class SlidingExamplesTests
{
    [TestMethod]
    [DataRow(8, 1)]
    [DataRow(8, 3)]
    [DataRow(8, 8)]
    [DataRow(1, 1)]
    [DataRow(5, 2)]
    public void Each_token_is_a_target_once_and_has_as_many_before_it_as_the_stride_leaves(int contextLength, int stride)
    {
        for (int count = 2; count < 40; count++)
        {
            int[] tokens = [.. Enumerable.Range(100, count)];
            List<int> targets = [];
            foreach (TokenExample example in SlidingExamples.Of(tokens, contextLength, stride, 0))
            {
                Assert.IsInRange(1, contextLength, example.Length);
                Assert.IsGreaterThan(0, example.TargetCount);
                for (int t = 0; t < example.Length; t++)
                {
                    if (example.Targets[t] == TokenExample.IgnoredTarget)
                        continue;
                    targets.Add(example.Targets[t]);
                    Assert.AreEqual(example.Targets[t], example.Ids[t] + 1);
                    Assert.IsGreaterThanOrEqualTo(Math.Min(contextLength + 1 - stride, example.Targets[t] - 100), t + 1);
                    CollectionAssert.AreEqual(tokens[(example.Ids[0] - 100)..(example.Ids[t] - 99)], example.Ids[..(t + 1)]);
                }
            }
            CollectionAssert.AreEqual(tokens[1..], targets, $"{count} tokens");
        }
    }

    [TestMethod]
    public void Examples_are_made_one_by_one() =>
        Assert.HasCount(3, SlidingExamples.Of(new Endless(), 16, 4, 0).Take(3).ToList());

    private sealed class Endless : IReadOnlyList<int>
    {
        public int Count => int.MaxValue;

        public int this[int index] => index < 64 ? index : throw new InvalidOperationException("read ahead");

        public IEnumerator<int> GetEnumerator() => throw new InvalidOperationException("read whole");

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
