using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

[TestClass]
public sealed class FlatParametersTests
{
    [TestMethod]
    public void Moving_a_model_into_an_arena_leaves_what_it_computes_as_it_was()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model();
        Tensor ids = arange(0, 12, dtype: int64).view(2, 6);
        Tensor before = model.call(ids).detach();

        using FlatParameters parameters = new(model.named_parameters());

        Assert.IsTrue(before.equal(model.call(ids)).all().item<bool>());
        Assert.AreEqual(model.parameters().Sum(p => p.numel()), parameters.Length);
    }

    [TestMethod]
    public void A_change_of_the_buffer_is_a_change_of_the_parameters()
    {
        using var scope = NewDisposeScope();
        Parameter matrix = nn.Parameter(ones(2, 3)), bias = nn.Parameter(ones(3));
        using FlatParameters parameters = new([("bias", bias), ("matrix", matrix)]);

        using (no_grad())
            parameters.Values.copy_(arange(0, 9, dtype: float32));

        CollectionAssert.AreEqual(new float[] { 0, 1, 2, 3, 4, 5 }, matrix.data<float>().ToArray());
        CollectionAssert.AreEqual(new float[] { 6, 7, 8 }, bias.data<float>().ToArray());
        CollectionAssert.AreEqual(new[] { "matrix", "bias" }, parameters.Names.ToArray());
        Assert.AreEqual(6, parameters.DecayedLength);
    }

    [TestMethod]
    public void Backward_passes_add_up_in_the_gradient_buffer_until_it_is_zeroed()
    {
        using var scope = NewDisposeScope();
        Parameter weight = nn.Parameter(ones(2));
        using FlatParameters parameters = new([("weight", weight)]);

        (weight * 3).sum().backward();
        (weight * 4).sum().backward();
        CollectionAssert.AreEqual(new float[] { 7, 7 }, parameters.Gradients.data<float>().ToArray());

        parameters.ZeroGradients();
        (weight * 5).sum().backward();
        CollectionAssert.AreEqual(new float[] { 5, 5 }, parameters.Gradients.data<float>().ToArray());
    }

    // In ML.NET's GenAI trainer the tied head was copied and then drifted.
    [TestMethod]
    public void A_tied_parameter_is_stored_once()
    {
        using var scope = NewDisposeScope();
        Parameter tied = nn.Parameter(ones(2, 2));
        using FlatParameters parameters = new([("embedding", tied), ("head", tied)]);

        Assert.AreEqual(4, parameters.Length);
        Assert.AreEqual("embedding", parameters.Names.Single());
    }

    [TestMethod]
    public void A_frozen_parameter_stays_outside()
    {
        using var scope = NewDisposeScope();
        Parameter trained = nn.Parameter(ones(2)), frozen = nn.Parameter(ones(5), requires_grad: false);
        using FlatParameters parameters = new([("trained", trained), ("frozen", frozen)]);

        Assert.AreEqual("trained", parameters.Names.Single());
    }

    [TestMethod]
    public void Nothing_to_train_is_a_clear_error()
    {
        ArgumentException error = Assert.ThrowsExactly<ArgumentException>(() => new FlatParameters([]));
        StringAssert.Contains(error.Message, "nothing to train");
    }

    [TestMethod]
    public void Mixed_dtypes_are_a_clear_error_naming_both_parameters()
    {
        using var scope = NewDisposeScope();
        ArgumentException error = Assert.ThrowsExactly<ArgumentException>(() => new FlatParameters([("a", nn.Parameter(ones(1))), ("b", nn.Parameter(ones(1, dtype: float64)))]));
        StringAssert.Contains(error.Message, "'a' is Float32");
        StringAssert.Contains(error.Message, "'b' is Float64");
    }
}
