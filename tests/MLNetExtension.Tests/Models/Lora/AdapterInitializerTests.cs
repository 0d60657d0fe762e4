using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models.Llama;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Lora;

[TestClass]
public sealed class AdapterInitializerTests
{
    private static readonly LoraOptions Options = new() { Rank = 4, Alpha = 6, RankStabilized = true };

    // Seen to fail with: shares without the scale.
    [TestMethod]
    public void PiSSA_starts_from_the_largest_singular_values_of_each_weight_in_equal_shares()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using CausalLanguageModel model = Adapted.Model("Llama");
        LoraAdapters adapters = HuggingFaceAdapters.Attach(model, Options with { Initialization = LoraInitialization.Pissa }, seed: 1);
        Assert.HasCount(21, adapters.Attached);
        foreach ((AdaptableModule module, LowRankAdapter adapter) in adapters.Attached)
        {
            Tensor weight = module.Linear.Weight.Values.narrow(0, module.FirstRow, module.Rows);
            Tensor values = linalg.svdvals(weight), shares = (values.narrow(0, 0, 4) / Options.Scale).diag();
            Tensor rest = weight - adapter.B.matmul(adapter.A) * Options.Scale;
            // The rest has all the other singular values (Eckart and Young 1936), and no part in the first directions.
            Assert.IsLessThan(1e-9, (linalg.svdvals(rest).narrow(0, 0, values.shape[0] - 4) - values.narrow(0, 4, values.shape[0] - 4)).abs().max().ToDouble(), module.Name);
            Assert.IsLessThan(1e-9, (adapter.A.matmul(adapter.A.t()) - shares).abs().max().ToDouble(), module.Name);
            Assert.IsLessThan(1e-9, (adapter.B.t().matmul(adapter.B) - shares).abs().max().ToDouble(), module.Name);
        }
    }

    // Singular values of zero have infinite inverses. Seen to fail with: those.
    [TestMethod]
    public void A_weight_of_a_lower_rank_than_the_adapter_gives_finite_matrices()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using CausalLanguageModel model = Adapted.Model("Llama");
        foreach (AdaptableLinear linear in model.modules().OfType<AdaptableLinear>())
            linear.Weight.Values.copy_(ones(linear.Weight.Outputs, 1, dtype: float64).matmul(linear.Weight.Values.narrow(0, 0, 1)));
        AdaptableLinear zero = model.modules().OfType<AdaptableLinear>().Last();
        zero.Weight.Values.zero_();
        LoraAdapters adapters = HuggingFaceAdapters.Attach(model, Options with { Initialization = LoraInitialization.Pissa }, seed: 1);
        foreach ((AdaptableModule module, LowRankAdapter adapter) in adapters.Attached)
        {
            Assert.IsTrue(adapter.parameters().All(parameter => parameter.isfinite().all().item<bool>()), module.Name);
            Assert.IsLessThan(1e-6, (adapter.B.matmul(adapter.A) * Options.Scale - module.Linear.Weight.Values.narrow(0, module.FirstRow, module.Rows)).abs().max().ToDouble(), module.Name);
        }
    }

    [TestMethod]
    public void Others_are_as_in_PEFT()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (LoraInitialization initialization in new[] { LoraInitialization.Kaiming, LoraInitialization.Gaussian, LoraInitialization.Orthogonal })
        {
            using CausalLanguageModel model = TinyLlama.Make(TinyLlama.Configuration with { Width = 128, FeedForwardWidth = 256, Layers = 1, UnrotatedLayers = [], SlidingLayers = [0] });
            LoraAdapters adapters = HuggingFaceAdapters.Attach(model, Options with { Initialization = initialization, TargetModules = ["up_proj"] }, seed: 1);
            LowRankAdapter adapter = adapters.Attached.Single().Adapter;
            double largest = adapter.A.abs().max().ToDouble(), deviation = adapter.A.std().ToDouble();
            Assert.IsLessThan(1e-13, adapter.B.matmul(adapter.A).abs().max().ToDouble(), $"{initialization}: nothing is added");
            if (initialization == LoraInitialization.Kaiming)
                Assert.IsTrue(largest <= 1 / Math.Sqrt(128) && largest > 0.98 / Math.Sqrt(128), $"{largest}");
            if (initialization == LoraInitialization.Gaussian)
                Assert.AreEqual(1.0 / 4, deviation, 0.02);
            // A tenth of a normal, halved in variance by the half of the rotation that it is in.
            if (initialization == LoraInitialization.Orthogonal)
                Assert.AreEqual(0.1 / Math.Sqrt(2), deviation, 0.01);
            Assert.AreEqual(initialization == LoraInitialization.Orthogonal, adapter.B.abs().max().ToDouble() > 0);
        }
    }

    [TestMethod]
    public void The_same_seed_gives_the_same_adapters_and_another_one_others()
    {
        foreach (LoraInitialization initialization in new[] { LoraInitialization.Gaussian, LoraInitialization.Orthogonal })
        {
            Dictionary<string, byte[]> first = Attach(1), again = Attach(1), other = Attach(2);
            Adapted.AssertEqual(first, again);
            Assert.IsTrue(first.Any(pair => !pair.Value.SequenceEqual(other[pair.Key])));

            Dictionary<string, byte[]> Attach(long seed)
            {
                using CausalLanguageModel model = Adapted.Model("GPT-2");
                HuggingFaceAdapters.Attach(model, Options with { Initialization = initialization }, seed);
                return Adapted.Trained(model);
            }
        }
    }
}
