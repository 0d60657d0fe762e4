using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Optimization;

[TestClass]
public sealed class ParameterGroupTests
{
    // One step of SGD is the gradient times the learning rate, so each parameter shows its own rate. The second group names the embedding too, and comes too late.
    [TestMethod]
    public void A_parameter_has_the_learning_rate_of_the_first_group_that_names_it()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> plain = Updates([]), grouped = Updates([new() { Names = ["wte"], LearningRateFactor = 3 }, new() { Names = ["wte", "*ln_1*"], LearningRateFactor = 0.5 }]);
        foreach ((string name, Tensor update) in plain)
        {
            double factor = name == "wte" ? 3 : name.Contains("ln_1", StringComparison.Ordinal) ? 0.5 : 1;
            Assert.IsLessThan(1e-12, (grouped[name] - update * factor).norm().item<double>() / Math.Max(1e-12, update.norm().item<double>()), name);
        }
    }

    // On vectors too.
    [TestMethod]
    public void A_group_has_a_weight_decay_of_its_own()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> without = Updates([]), with = Updates([new() { Names = ["ln_f.weight"], WeightDecay = 0.5 }]);
        // Norms begin with ones: the decay of a step of 0.1 takes 0.05 from each.
        Assert.IsLessThan(1e-12, (with["ln_f.weight"] - without["ln_f.weight"] + 0.05).abs().max().item<double>());
        Assert.IsLessThan(1e-15, (with["wte"] - without["wte"]).abs().max().item<double>());
    }

    // Seen to fail with: groups that are frozen after the flat parameters were laid out.
    [TestMethod]
    public void A_frozen_parameter_stays_and_has_no_gradient()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> updates = Updates([new() { Names = ["h.0.*", "wte"], IsFrozen = true }]);
        foreach ((string name, Tensor update) in updates)
        {
            bool isFrozen = name == "wte" || name.StartsWith("h.0.", StringComparison.Ordinal);
            Assert.AreEqual(isFrozen, update.abs().max().item<double>() == 0, name);
        }

        using Gpt2Model model = Ragged.Model();
        ParameterPlan plan = ParameterPlan.Create(model, new AdamWOptions { Groups = [new() { Names = ["h.0.*", "wte"], IsFrozen = true }] });
        using (plan.Freeze(model))
        {
            using FlatParameters parameters = new(model.named_parameters());
            Assert.DoesNotContain("wte", parameters.Names);
        }
        Assert.IsTrue(model.parameters().All(p => p.requires_grad), "after the training all can be trained again");
    }

    [TestMethod]
    public void LoRA_plus_trains_the_second_matrices_faster()
    {
        using var scope = NewDisposeScope();
        Tensor plain = Adapters([]), plus = Adapters([ParameterGroup.LoraPlus(4)]);
        Assert.IsGreaterThan(0, plain.norm().item<double>());
        Assert.IsLessThan(1e-12, Ragged.RelativeError(plus, plain * 4));

        static Tensor Adapters(IReadOnlyList<ParameterGroup> groups)
        {
            using Gpt2Model model = Ragged.Model();
            Adapted.Attach(model, new LoraOptions { Rank = 2, TargetModules = ["*"] });
            Tensor before = SecondMatrices(model);
            Train(model, groups);
            return SecondMatrices(model) - before;
        }
    }

    private static Tensor SecondMatrices(Gpt2Model model) =>
        cat([.. model.named_parameters().Where(p => p.name.EndsWith("lora_B", StringComparison.Ordinal)).Select(p => p.parameter.detach().flatten())]);

    private static Dictionary<string, Tensor> Updates(IReadOnlyList<ParameterGroup> groups)
    {
        using Gpt2Model model = Ragged.Model();
        Dictionary<string, Tensor> before = model.named_parameters().ToDictionary(p => p.name, p => p.parameter.detach().clone());
        Train(model, groups);
        return model.named_parameters().ToDictionary(p => p.name, p => p.parameter.detach() - before[p.name]);
    }

    private static void Train(Gpt2Model model, IReadOnlyList<ParameterGroup> groups) => TrainingLoop.Run(
        model,
        Ragged.Examples(8),
        new TrainingOptions
        {
            MaximumSteps = 1, LearningRate = 0.1, Schedule = new() { WarmupSteps = 0 },
            Optimizer = new SgdOptions { Momentum = 0, WeightDecay = 0, MaximumGradientNorm = 0, Groups = groups },
        },
        seed: 1);
}
