using System.Runtime.CompilerServices;
using TorchSharp;

namespace MLNetExtension.Tests;

[TestClass]
public sealed class ScalarsTests
{
    [TestMethod]
    public void A_number_outlives_a_collection_that_comes_while_an_operation_reads_it()
    {
        WeakReference kept = Make(() => Scalars.Of(3.5)), control = Make(() => 3.5);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.IsTrue(kept.IsAlive);
        Assert.IsFalse(control.IsAlive, "nothing refers to a number that TorchSharp converts");
        Assert.AreEqual(3.5, ((Scalar)kept.Target!).ToDouble());
    }

    // Of three operations with three numbers each, all are there.
    [TestMethod]
    public void The_numbers_of_the_last_operations_are_kept()
    {
        WeakReference[] kept = [.. Enumerable.Range(0, 200).Select(i => Make(() => i % 2 == 0 ? Scalars.Of((long)i) : Scalars.Of(i + 0.5)))];
        GC.Collect();
        GC.WaitForPendingFinalizers();
        CollectionAssert.AreEqual(Enumerable.Range(191, 9).Select(i => i % 2 == 0 ? i : i + 0.5).ToArray(), kept[^9..].Select(number => ((Scalar)number.Target!).ToDouble()).ToArray());
        Assert.IsFalse(kept[..100].Any(number => number.IsAlive), "all were kept for ever");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Make(Func<Scalar> make) => new(make());
}
