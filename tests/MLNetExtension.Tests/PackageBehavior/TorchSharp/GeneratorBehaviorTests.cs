using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.PackageBehavior.TorchSharp;

/// <summary>
/// TorchSharp draws from the generator that it is given and from no other, and a seed starts that one anew: <see cref="MLNetExtension.Models.Layers.SeededDropout"/> recomputes a mask by it, and
/// <see cref="Gpt2Model"/> and <see cref="LlamaModel"/> make weights that a seed repeats. The generator of the process is shared, so these tests run alone.
/// </summary>
[TestClass]
[DoNotParallelize]
public sealed class GeneratorBehaviorTests
{
    [TestMethod]
    public void A_generator_of_ones_own_leaves_that_of_the_process_alone()
    {
        using var scope = NewDisposeScope();
        using Generator own = new(3);
        Tensor before = get_rng_state();

        _ = zeros(8).normal_(0, 1, own);
        _ = zeros(8).bernoulli_(0.5, own);

        Assert.IsTrue(before.Equals(get_rng_state()));
        _ = zeros(8).normal_(0, 1);
        Assert.IsFalse(before.Equals(get_rng_state()), "the control: without one the state of the process moves on");
    }

    [TestMethod]
    public void The_same_seed_gives_the_same_numbers_and_setting_it_again_starts_anew()
    {
        using var scope = NewDisposeScope();
        using Generator own = new(3), same = new(3), other = new(4);
        Tensor weights = zeros(20).normal_(0, 1, own), mask = zeros(100).bernoulli_(0.5, own);

        Assert.IsTrue(weights.Equals(zeros(20).normal_(0, 1, same)));
        Assert.IsTrue(mask.Equals(zeros(100).bernoulli_(0.5, same)));
        Assert.IsFalse(weights.Equals(zeros(20).normal_(0, 1, other)));
        own.manual_seed(3);
        Assert.IsTrue(weights.Equals(zeros(20).normal_(0, 1, own)));
    }
}
