using static TorchSharp.torch;

namespace MLNetExtension.Tests.Contracts.TorchSharp;

/// <summary>Random numbers: a seed or a state repeats them. The process's generator is shared, so these tests run alone.</summary>
[TestClass]
[DoNotParallelize]
public sealed class RandomContractTests
{
    [TestMethod]
    public void A_seed_repeats_the_numbers_of_the_process()
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        Tensor first = randn(4), more = rand(2);
        random.manual_seed(5);

        Assert.IsTrue(first.Equals(randn(4)));
        Assert.IsTrue(more.Equals(rand(2)));
        manual_seed(6);
        Assert.IsFalse(first.Equals(randn(4)));
    }

    [TestMethod]
    public void The_state_of_the_process_is_kept_and_put_back()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Tensor state = get_rng_state(), first = randn(3);
        _ = randn(100);
        random.set_rng_state(state);

        Assert.AreEqual(uint8, state.dtype);
        Assert.IsTrue(first.Equals(randn(3)));
    }

    [TestMethod]
    public void A_generator_of_ones_own_leaves_that_of_the_process_alone()
    {
        using var scope = NewDisposeScope();
        using Generator own = new(3), same = new(3);
        Tensor before = get_rng_state();

        Tensor first = randn(8, generator: own);
        Tensor order = randperm(20, generator: own);
        Tensor drawn = ones(4).multinomial(3, generator: own);
        Tensor uniform = zeros(5).uniform_(0, 1, own);
        Tensor whole = randint(0, 100, [6], generator: own);

        Assert.IsTrue(before.Equals(get_rng_state()));
        Assert.IsTrue(first.Equals(randn(8, generator: same)));
        Assert.IsTrue(order.Equals(randperm(20, generator: same)));
        Assert.IsTrue(drawn.Equals(ones(4).multinomial(3, generator: same)));
        Assert.IsTrue(uniform.Equals(zeros(5).uniform_(0, 1, same)));
        Assert.IsTrue(whole.Equals(randint(0, 100, [6], generator: same)));
        CollectionAssert.AreEqual(Enumerable.Range(0, 20).Select(i => (long)i).ToArray(), order.sort().Values.data<long>().ToArray());
    }

    [TestMethod]
    public void A_generators_state_is_kept_and_put_back()
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(9), other = new();
        _ = randn(3, generator: generator);
        Tensor state = generator.get_state(), next = randn(5, generator: generator);

        other.set_state(state);

        Assert.IsTrue(next.Equals(randn(5, generator: other)));
        generator.manual_seed(9);
        _ = randn(3, generator: generator);
        Assert.IsTrue(next.Equals(randn(5, generator: generator)));
    }

    [TestMethod]
    public void Dropout_scales_what_it_keeps()
    {
        using var scope = NewDisposeScope();
        Tensor kept = nn.functional.dropout(ones(10_000), 0.25);

        Assert.IsTrue(((kept == 0) | (kept - 4f / 3).abs().lt(1e-6)).all().item<bool>());
        Assert.AreEqual(0.75, kept.ne(0).to(float64).mean().item<double>(), 0.05);
        Assert.IsTrue(nn.functional.dropout(ones(5), 0.25, training: false).Equals(ones(5)));
    }
}
