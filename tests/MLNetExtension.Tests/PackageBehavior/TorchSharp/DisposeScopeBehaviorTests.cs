using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.PackageBehavior.TorchSharp;

/// <summary>
/// TorchSharp's dispose scopes own what is made in them on their thread, moved tensors go one scope up, detached ones belong to none, and the live count of a thread tells:
/// <see cref="MLNetExtension.Training.Accumulation.MicroBatchGradient"/>, <see cref="MLNetExtension.Models.KeyValueCache"/> and every type that keeps a tensor rely on the first, the tests for leaks on the last.
/// </summary>
[TestClass]
public sealed class DisposeScopeBehaviorTests
{
    private static long Live => DisposeScopeManager.Statistics.ThreadTotalLiveCount;

    // A count that stood still would let every test for leaks pass.
    [TestMethod]
    public void A_scope_disposes_of_what_was_made_in_it_and_the_live_count_tells()
    {
        long before = Live, tensorsBefore = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        Tensor inner, outer;
        using (NewDisposeScope())
        {
            inner = ones(2) + 1;
            outer = ones(2).MoveToOuterDisposeScope();
            Assert.AreEqual(before + 3, Live);
            Assert.AreEqual(tensorsBefore + 3, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        }
        Assert.IsTrue(inner.IsInvalid);
        Assert.IsFalse(outer.IsInvalid);
        Assert.AreEqual(before + 1, Live);
        outer.Dispose();
        Assert.AreEqual(before, Live);
    }

    [TestMethod]
    public void A_tensor_moves_out_one_scope_at_a_time_and_a_detached_one_belongs_to_none()
    {
        Tensor moved, detached;
        using (NewDisposeScope())
        {
            using (NewDisposeScope())
            {
                moved = ones(1).MoveToOuterDisposeScope();
                detached = ones(1).DetachFromDisposeScope();
            }
            Assert.IsFalse(moved.IsInvalid);
        }
        Assert.IsTrue(moved.IsInvalid);
        Assert.IsFalse(detached.IsInvalid);
        detached.Dispose();
    }

    [TestMethod]
    public void Every_read_of_a_gradient_makes_a_reference_that_the_scope_owns()
    {
        using Tensor leaf = ones(2).requires_grad_();
        using (Tensor sum = leaf.sum())
            sum.backward();
        long before = Live;
        using (NewDisposeScope())
        {
            Tensor? first = leaf.grad, second = leaf.grad;
            Assert.AreNotSame(first, second);
            Assert.AreEqual(before + 2, Live);
        }
        Assert.AreEqual(before, Live);
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

    // MLNetExtension.Training.Accumulation.WorkerThread computes micro-batches beside the thread that holds the scope of the step.
    [TestMethod]
    public void A_scope_does_not_own_what_another_thread_makes()
    {
        Tensor? made = null;
        using (NewDisposeScope())
        {
            var thread = new Thread(() => made = ones(1));
            thread.Start();
            thread.Join();
        }
        Assert.IsFalse(made!.IsInvalid);
        made.Dispose();
    }
}
