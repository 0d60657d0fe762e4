using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Contracts.TorchSharp;

/// <summary>Who owns a tensor, and the counts that leak tests read. Counts are per thread.</summary>
[TestClass]
public sealed class DisposeScopeContractTests
{
    private static long Live => DisposeScopeManager.Statistics.ThreadTotalLiveCount;

    [TestMethod]
    public void A_scope_disposes_of_what_was_made_in_it()
    {
        long before = Live;
        Tensor inner, outer;
        using (var scope = NewDisposeScope())
        {
            inner = ones(2) + 1;
            outer = ones(2).MoveToOuterDisposeScope();
            Assert.AreEqual(2, scope.DisposablesCount);
            Assert.AreEqual(before + 3, Live);
        }
        Assert.IsTrue(inner.IsInvalid);
        Assert.IsFalse(outer.IsInvalid);
        Assert.AreEqual(before + 1, Live);
        outer.Dispose();
        Assert.AreEqual(before, Live);
    }

    [TestMethod]
    public void A_tensor_moves_out_one_scope_at_a_time_and_detached_belongs_to_none()
    {
        using var outermost = NewDisposeScope();
        Tensor moved, detached, attached;
        using (var outer = NewDisposeScope())
        {
            using (NewDisposeScope())
            {
                moved = ones(1).MoveToOuterDisposeScope();
                detached = ones(1).DetachFromDisposeScope();
            }
            Assert.IsTrue(outer.Contains(moved));
            Assert.IsFalse(outer.Contains(detached));
            attached = ones(1).DetachFromDisposeScope();
            outer.Attach(attached);
        }
        Assert.IsTrue(moved.IsInvalid);
        Assert.IsTrue(attached.IsInvalid);
        Assert.IsFalse(detached.IsInvalid);
        detached.Dispose();
    }

    [TestMethod]
    public void Everything_but_what_is_kept_is_disposed_of_early()
    {
        using var scope = NewDisposeScope();
        Tensor kept = ones(1), other = ones(1);

        scope.DisposeEverythingBut(kept);

        Assert.IsFalse(kept.IsInvalid);
        Assert.IsTrue(other.IsInvalid);
        Assert.AreEqual(1, scope.DisposablesCount);
    }

    [TestMethod]
    public void Statistics_say_where_tensors_were_made_and_disposed_of()
    {
        var statistics = DisposeScopeManager.Statistics;
        statistics.Reset();
        Tensor outside = ones(1);
        using (NewDisposeScope())
        {
            _ = ones(1);
            ones(1).Dispose();
            ones(1).DetachFromDisposeScope().Dispose();
        }
        outside.Dispose();

        Assert.AreEqual((1, 3, 2, 2, 1, 0), (statistics.CreatedOutsideScopeCount, statistics.CreatedInScopeCount,
            statistics.DisposedOutsideScopeCount, statistics.DisposedInScopeCount, statistics.DetachedFromScopeCount, statistics.ThreadTotalLiveCount));
    }

    [TestMethod]
    public void Every_read_of_a_gradient_makes_a_reference_that_the_scope_owns()
    {
        using Tensor leaf = ones(2).requires_grad_();
        using (Tensor sum = leaf.sum()) sum.backward();
        long before = Live;
        using (NewDisposeScope())
        {
            Tensor? first = leaf.grad, second = leaf.grad;
            Assert.AreNotSame(first, second);
            Assert.AreEqual(before + 2, Live);
        }
        Assert.AreEqual(before, Live);
        leaf.grad = null;
    }

    [TestMethod]
    public void A_parameter_takes_over_the_tensor_it_is_made_of_and_its_place_in_the_scope()
    {
        long before = Live;
        using (var scope = NewDisposeScope())
        {
            Tensor data = ones(2);
            var parameter = nn.Parameter(data);
            Assert.IsTrue(data.IsInvalid);
            Assert.IsTrue(parameter.requires_grad);
            Assert.IsTrue(scope.Contains(parameter));
        }
        Assert.AreEqual(before, Live);
    }

    [TestMethod]
    public void Scopes_are_per_thread()
    {
        using var scope = NewDisposeScope();
        bool seen = true;
        var thread = new Thread(() =>
        {
            seen = CurrentDisposeScope is not null;
            ones(1).Dispose();
        });
        thread.Start();
        thread.Join();
        Assert.IsFalse(seen);
        Assert.AreSame(scope, CurrentDisposeScope);
        Assert.AreEqual(0, scope.DisposablesCount);
    }

    [TestMethod]
    public void A_disposed_scope_is_closed()
    {
        var scope = NewDisposeScope();
        scope.Dispose();
        scope.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => scope.DisposeEverything());
    }
}
