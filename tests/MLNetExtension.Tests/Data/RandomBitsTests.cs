using MLNetExtension.Data;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Data;

/// <summary>Random numbers that are computed as tensors.</summary>
[TestClass]
public sealed class RandomBitsTests
{
    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(-3)]
    [DataRow(long.MaxValue)]
    [DataRow(long.MinValue)]
    public void They_are_the_highest_bits_of_a_generators_numbers(long seed)
    {
        using var scope = NewDisposeScope();
        SplitMix64 generator = new(unchecked((ulong)seed));
        long[] expected = [.. Enumerable.Range(0, 50).Select(_ => (long)generator.NextUInt64() >> 33)];

        long[] all = RandomBits.Draw(RandomBits.States(1, 50, CPU).add_(seed)).data<long>().ToArray();
        CollectionAssert.AreEqual(expected, all);
        long[] rest = RandomBits.Draw(RandomBits.States(31, 20, CPU).add_(seed)).data<long>().ToArray();
        CollectionAssert.AreEqual(expected[30..], rest);
        Assert.IsTrue(expected.All(number => number is >= -RandomBits.Range and < RandomBits.Range));
    }
}
