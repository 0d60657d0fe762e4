using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Lora;

/// <summary>DoRA beyond its logits and gradients, which <see cref="GoldenAdapterTests"/> compares.</summary>
[TestClass]
public sealed class DoraTests
{
    private static readonly LoraOptions Options = new() { Rank = 2, Alpha = 3, UseDora = true };

    // Seen to fail with: merging that adds the product alone.
    [TestMethod]
    public void Merged_rows_are_as_long_as_the_magnitudes_say()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using CausalLanguageModel model = Adapted.Model("Llama");
        LoraAdapters adapters = Adapted.Attach(model, Options);
        (AdaptableModule Module, Tensor Magnitudes)[] before = [.. adapters.Attached.Select(pair => (pair.Module, pair.Adapter.Magnitude!.clone()))];

        adapters.Merge();

        foreach ((AdaptableModule module, Tensor magnitudes) in before)
        {
            Tensor norms = module.Linear.Weight.Values.narrow(0, module.FirstRow, module.Rows).square().sum(1).sqrt();
            Assert.IsLessThan(1e-13, Ragged.RelativeError(norms, magnitudes.abs()), module.Name);
        }
    }

    // As in PEFT: what dropout leaves goes through the whole of the adapted weight, and the rest through the weight alone.
    [TestMethod]
    public void With_dropout_the_input_is_thinned_for_the_difference_from_the_weight_alone()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using CausalLanguageModel model = Adapted.Model("GPT-2");
        LoraAdapters adapters = Adapted.Attach(model, Options with { Dropout = 0.5, TargetModules = ["h.0.mlp.c_fc"] });
        (AdaptableModule module, LowRankAdapter adapter) = adapters.Attached.Single();
        AdaptableLinear linear = (AdaptableLinear)module.Linear;
        Tensor input = randn(6, 12, dtype: float64), weight = linear.Weight.Values.clone(), bias = linear.named_parameters().Single(pair => pair.name == "bias").parameter;
        model.train();
        adapter.ReseedDropout(5);
        Tensor actual = linear.call(input);
        SeededDropout dropout = adapter.children().OfType<SeededDropout>().Single();
        dropout.Reseed(5);
        Tensor thinned = dropout.call(input);
        Assert.IsGreaterThan(0, thinned.eq(0).sum().ToInt32());

        Tensor direction = weight + adapter.B.matmul(adapter.A) * 1.5;
        Tensor adapted = direction * (adapter.Magnitude! / direction.square().sum(1).sqrt()).unsqueeze(1);
        Tensor expected = input.matmul(weight.t()) + bias + thinned.matmul((adapted - weight).t());
        Assert.IsLessThan(1e-13, Ragged.RelativeError(actual, expected));
    }

    // Seen to fail with: norms that training leaves as they are, and other norms than those of the weights.
    [TestMethod]
    public void Norms_are_computed_once_for_a_model_in_use_and_again_when_it_is_trained_on()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using CausalLanguageModel model = Adapted.Model("Llama"), other = Adapted.Model("Llama");
        LoraAdapters adapters = Adapted.Attach(model, Options), others = Adapted.Attach(other, Options);
        model.eval();
        Tensor ids = Ragged.Pad(Ragged.Examples(3)).Ids, before = model.call(ids);
        adapters.FixNorms();
        Assert.AreEqual(0, (model.call(ids) - before).abs().max().ToDouble());

        foreach (LowRankAdapter adapter in adapters.Attached.Concat(others.Attached).Select(pair => pair.Adapter))
            adapter.B.mul_(3);
        Tensor expected = other.call(ids);
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(model.call(ids), expected), "the control: they are not computed again");
        model.train();
        model.eval();
        Assert.AreEqual(0, (model.call(ids) - expected).abs().max().ToDouble());
    }

    // Seen to fail with: norms of zero.
    [TestMethod]
    public void A_row_of_zeros_stays_one_and_gives_finite_gradients()
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Adapted.Model("Llama", ScalarType.Float32);
        LoraAdapters adapters;
        using (no_grad())
        {
            model.modules().OfType<AdaptableLinear>().First().Weight.Values.narrow(0, 1, 2).zero_();
            adapters = HuggingFaceAdapters.Attach(model, Options, seed: 1);
        }
        using BatchGradient gradient = new(model, new GradientSettings());
        gradient.Accumulate(Ragged.Split(Ragged.Examples(4), 2));
        Assert.IsTrue(gradient.Parameters.Gradients.isfinite().all().item<bool>());
        adapters.Merge();
        Assert.AreEqual(0, model.modules().OfType<AdaptableLinear>().First().Weight.Values.narrow(0, 1, 2).abs().max().ToDouble());
    }

    [TestMethod]
    public void Weight_decay_acts_on_the_matrices_alone_and_LoRA_plus_on_the_second_alone()
    {
        using CausalLanguageModel model = Adapted.Model("Llama");
        HuggingFaceAdapters.Attach(model, Options with { Initialization = LoraInitialization.Pissa, TrainedModules = ["lm_head"] }, seed: 1);
        foreach (WeightDecayRule rule in new[] { WeightDecayRule.LinearWeights, WeightDecayRule.Matrices })
        {
            ParameterPlan plan = ParameterPlan.Create(model, new AdamWOptions { WeightDecay = 0.1, DecayRule = rule, Groups = [ParameterGroup.LoraPlus(4)] }, HuggingFaceConfiguration.ListNames(model));
            foreach ((string name, Parameter parameter) in model.named_parameters().Where(pair => pair.parameter.requires_grad))
            {
                Assert.AreEqual(!name.Contains("magnitude"), plan.Decays(name, parameter), name);
                Assert.AreEqual(name.EndsWith("lora_B", StringComparison.Ordinal) ? 4 : 1, plan.LearningRateFactor(name), name);
            }
        }
    }

    [TestMethod]
    [DataRow("GPT-2 with DoRA, whole modules")]
    [DataRow("Llama with PiSSA")]
    [DataRow("Mixtral with DoRA, PiSSA")]
    public void Weights_are_given_merged_as_merging_makes_them(string kind)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Adapted.Model(kind);
        LoraAdapters adapters = Adapted.Attach(model, Adapted.Options(kind) with { Rank = 3 });
        MergedWeights merged = new(model);
        Dictionary<string, Tensor> expected = model.named_parameters().Where(pair => !LowRankAdapter.Owns(pair.name)).ToDictionary(pair => pair.name, pair => merged.Find(pair.name).clone());

        adapters.Merge();

        Dictionary<string, Parameter> parameters = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter);
        CollectionAssert.AreEquivalent(expected.Keys, parameters.Keys);
        foreach ((string name, Tensor values) in expected)
            Assert.IsTrue(values.eq(parameters[name]).all().item<bool>(), name);
    }
}
