using MLNetExtension.Models;

namespace MLNetExtension.Tests.Models;

[TestClass]
public sealed class NetworkLifetimeTests
{
    [TestMethod]
    public void What_nobody_uses_is_freed_at_once_and_only_once()
    {
        int freed = 0;
        NetworkLifetime lifetime = new(() => freed++);
        lifetime.Use().Dispose();
        Assert.AreEqual(0, freed);
        lifetime.Close();
        lifetime.Close();
        Assert.AreEqual(1, freed);
        Assert.ThrowsExactly<ObjectDisposedException>(() => lifetime.Use());
        Assert.ThrowsExactly<ObjectDisposedException>(lifetime.ThrowIfClosed);
    }

    [TestMethod]
    public void Closing_does_not_wait_and_whoever_leaves_last_frees()
    {
        int freed = 0;
        NetworkLifetime lifetime = new(() => freed++);
        var (first, second) = (lifetime.Use(), lifetime.Use());
        lifetime.Close();
        Assert.ThrowsExactly<ObjectDisposedException>(() => lifetime.Use());
        first.Dispose();
        Assert.AreEqual(0, freed);
        second.Dispose();
        Assert.AreEqual(1, freed);
    }

    // Seen to fail with: the lock left out (some are freed twice, some never).
    [TestMethod]
    public void Two_that_close_and_one_that_leaves_at_the_same_time_free_once()
    {
        int freed = 0;
        for (int round = 1; round <= 500; round++)
        {
            NetworkLifetime lifetime = new(() => Interlocked.Increment(ref freed));
            NetworkLifetime.Call call = lifetime.Use();
            Parallel.Invoke(lifetime.Close, call.Dispose, lifetime.Close);
            Assert.AreEqual(round, freed);
        }
    }
}
