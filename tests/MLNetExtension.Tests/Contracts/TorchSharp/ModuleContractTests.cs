using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace MLNetExtension.Tests.Contracts.TorchSharp;

/// <summary>Registration, names, state, conversion and disposal of modules.</summary>
[TestClass]
public sealed class ModuleContractTests
{
    private sealed class Part : Module<Tensor, Tensor>
    {
        private readonly Linear inner = Linear(3, 3);
        private readonly Dropout drop = Dropout(0.5);

        public Part() : base(nameof(Part)) => RegisterComponents();

        public override Tensor forward(Tensor input) => drop.call(inner.call(input));
    }

    private sealed class Whole : Module<Tensor, Tensor>
    {
        private readonly Embedding table = Embedding(7, 3);
        private readonly ModuleList<Part> parts = ModuleList(new Part(), new Part());
        private readonly LayerNorm norm = LayerNorm(3);
        public readonly Parameter scale = Parameter(ones(3));
        public readonly Tensor offset = zeros(3);

        public Whole() : base(nameof(Whole)) => RegisterComponents();

        public override Tensor forward(Tensor input) => norm.call(parts.Aggregate(table.call(input), (hidden, part) => part.call(hidden))) * scale + offset;
    }

    private static readonly string[] Parameters =
    [
        "scale", "table.weight", "parts.0.inner.weight", "parts.0.inner.bias", "parts.1.inner.weight", "parts.1.inner.bias", "norm.weight", "norm.bias",
    ];

    [TestMethod]
    public void Fields_are_registered_under_their_names()
    {
        using var whole = new Whole();

        CollectionAssert.AreEquivalent(Parameters, whole.named_parameters().Select(entry => entry.name).ToArray());
        CollectionAssert.AreEqual(new[] { "offset" }, whole.named_buffers().Select(entry => entry.name).ToArray());
        CollectionAssert.AreEquivalent(Parameters.Append("offset").ToArray(), whole.state_dict().Keys.ToArray());
        CollectionAssert.AreEquivalent(new[] { "table", "parts", "parts.0", "parts.0.inner", "parts.0.drop", "parts.1", "parts.1.inner", "parts.1.drop", "norm" },
            whole.named_modules().Select(entry => entry.name).ToArray());
        Assert.IsTrue(whole.parameters().All(parameter => parameter.requires_grad));
    }

    [TestMethod]
    public void A_name_is_registered_once_and_without_a_dot()
    {
        using var whole = new Whole();
        using Linear other = Linear(1, 1);
        using Tensor buffer = ones(1);

        Assert.ThrowsExactly<InvalidOperationException>(() => whole.register_module("norm", other));
        Assert.ThrowsExactly<ArgumentException>(() => whole.register_module("a.b", other));
        Assert.ThrowsExactly<InvalidOperationException>(() => whole.register_buffer("offset", buffer));
        Assert.ThrowsExactly<ArgumentNullException>(() => whole.register_buffer("none", null!));
    }

    [TestMethod]
    public void State_saved_is_state_loaded()
    {
        using var first = new Whole();
        using var second = new Whole();
        using var stream = new MemoryStream();
        first.eval();
        second.eval();
        using Tensor input = arange(5), expected = first.call(input);

        first.save(stream);
        second.load(new MemoryStream(stream.ToArray()));

        using Tensor loaded = second.call(input);
        Assert.IsTrue(expected.Equals(loaded));
        using Linear other = Linear(2, 2);
        Assert.ThrowsExactly<ArgumentException>(() => other.load(new MemoryStream(stream.ToArray())));
    }

    [TestMethod]
    public void A_state_dictionary_holds_the_tensors_themselves_and_loads_by_copying()
    {
        using Linear first = Linear(2, 2), second = Linear(2, 2);

        first.load_state_dict(second.state_dict());

        Assert.IsTrue(first.weight.Equals(second.weight));
        Assert.AreSame(first.weight, first.state_dict()["weight"]);
        Assert.AreNotSame(first.weight, second.weight);
        var partial = new Dictionary<string, Tensor> { ["weight"] = second.weight };
        Assert.ThrowsExactly<InvalidOperationException>(() => first.load_state_dict(partial));
        CollectionAssert.AreEqual(new[] { "bias" }, first.load_state_dict(partial, strict: false).missing_keys.ToArray());
    }

    [TestMethod]
    public void A_module_is_converted_in_place_parameters_and_buffers_alike()
    {
        using var scope = NewDisposeScope();
        using var whole = new Whole();

        Assert.AreSame(whole, whole.to(float64));

        Assert.IsTrue(whole.parameters().All(parameter => parameter.dtype == float64 && parameter.requires_grad));
        Assert.AreEqual(float64, whole.offset.dtype);
        Assert.AreEqual(float64, whole.scale.dtype);
        Assert.AreEqual(float64, whole.call(arange(3)).dtype);
    }

    [TestMethod]
    public void Training_and_evaluation_reach_every_module()
    {
        using var scope = NewDisposeScope();
        using var whole = new Whole();
        Tensor input = arange(7);

        Assert.IsTrue(whole.training && whole.modules().All(module => module.training));
        whole.eval();
        Assert.IsTrue(whole.modules().All(module => !module.training));
        Assert.IsTrue(whole.call(input).Equals(whole.call(input)));
        whole.train();
        Assert.IsFalse(whole.call(input).Equals(whole.call(input)));
    }

    [TestMethod]
    public void Zeroing_removes_gradients_or_clears_them()
    {
        using var scope = NewDisposeScope();
        using Linear linear = Linear(2, 1);
        linear.call(ones(1, 2)).sum().backward();
        linear.zero_grad(set_to_none: false);
        Assert.AreEqual(0f, linear.weight.grad!.abs().sum().item<float>());
        linear.zero_grad();
        Assert.IsNull(linear.weight.grad);
    }

    [TestMethod]
    public void A_module_outlives_a_scope_it_was_not_made_in_and_disposes_of_its_parameters()
    {
        var whole = new Whole();
        Parameter scale = whole.scale;
        using (NewDisposeScope()) whole.call(arange(3));
        Assert.IsFalse(scale.IsInvalid);
        whole.Dispose();
        Assert.IsTrue(scale.IsInvalid);
    }

    [TestMethod]
    public void Layers_are_their_formulas()
    {
        using var scope = NewDisposeScope();
        using Linear linear = Linear(3, 2, dtype: float64);
        using LayerNorm norm = LayerNorm(3, dtype: float64);
        using Embedding table = Embedding(4, 3);
        Tensor input = randn(5, 3, dtype: float64), indices = tensor(new long[] { 3, 0, 3 });

        Assert.IsTrue(linear.call(input).allclose(input.matmul(linear.weight.t()) + linear.bias!, 1e-12, 1e-12));
        Tensor centred = input - input.mean([-1], keepdim: true);
        Assert.IsTrue(norm.call(input).allclose(centred / (centred.square().mean([-1], keepdim: true) + 1e-5).sqrt(), 1e-12, 1e-12));
        Assert.IsTrue(table.call(indices).Equals(table.weight!.index_select(0, indices)));
        Assert.IsTrue(functional.gelu(input).allclose(input * 0.5 * (1 + (input / Math.Sqrt(2)).erf()), 1e-12, 1e-12));
        Assert.IsTrue(functional.silu(input).allclose(input * input.sigmoid(), 1e-12, 1e-12));
        Assert.IsTrue(functional.log_softmax(input, 1).allclose(input.softmax(1).log(), 1e-12, 1e-12));
    }
}
