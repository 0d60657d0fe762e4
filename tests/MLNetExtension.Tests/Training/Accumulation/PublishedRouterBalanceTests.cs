using MLNetExtension.Training.Optimization;
using MLNetExtension.Data;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Llama;
using MLNetExtension.Tests.Formats.HuggingFace;
using MLNetExtension.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>A published Mixtral's <c>router_aux_loss_coef</c> and <c>output_router_logits</c> decide on its balance loss, as in Hugging Face's transformers, whose <c>load_balancing_loss_func</c> is written out here.</summary>
[TestClass]
public sealed class PublishedRouterBalanceTests
{
    [TestMethod]
    [DataRow("true", "0.5", null, 0.5, "qwen3-moe")]
    [DataRow("true", "0.5", null, 0.5, "qwen3-moe-sum")]
    [DataRow("false", "0.5", null, 0.0, "qwen3-moe")]
    [DataRow("true", "0.5", null, 0.5)]
    [DataRow("true", "0.5", 0.0, 0.0)]
    [DataRow("false", "0.5", null, 0.0)]
    [DataRow(null, "0.5", null, 0.0)]
    [DataRow("true", null, null, 0.001)]
    [DataRow("false", "0.5", 0.25, 0.25)]
    public void The_loss_of_a_step_has_the_balance_loss_that_the_configuration_asks_for(string? outputs, string? coefficient, double? asked, double expected, string name = "mixtral")
    {
        using var scope = NewDisposeScope();
        using CheckpointCopy copy = new(name);
        copy.Set("output_router_logits", outputs);
        copy.Set("router_aux_loss_coef", coefficient);
        using CausalLanguageModel model = HuggingFaceModel.Load(copy.Path).Model;
        model.to(ScalarType.Float64);
        Random random = new(2);
        TokenExample[] rows = [.. new[] { 5, 9, 7 }.Select((length, row) => new TokenExample(Draw(length), Draw(length), 0, row))];

        double plain = StepLoss(0), loss = StepLoss(asked);

        Assert.AreEqual(expected * HuggingFacesLoss(model, rows), loss - plain, 1e-9);

        int[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(model.VocabularySize))];

        double StepLoss(double? routerBalance)
        {
            double found = double.NaN;
            TrainingOptions options = new()
            {
                MaximumSteps = 1,
                LearningRate = 1e-300,
                Optimizer = new AdamWOptions { WeightDecay = 0 },
                Batching = new() { MaximumTokensPerMicroBatch = 10 },
                Loss = new() { RouterBalanceCoefficient = routerBalance },
            };
            TrainingLoop.Run(model, rows, options, seed: 1, step => found = step.Loss);
            return found;
        }
    }

    // The routers' logits of all layers one after another; their experts and probabilities are averaged over all of them.
    private static double HuggingFacesLoss(CausalLanguageModel model, TokenExample[] rows)
    {
        using var _ = no_grad();
        model.train();
        LlamaConfiguration configuration = ((LlamaModel)model).Configuration;
        SequenceLayout layout = SequenceLayout.Padded([.. rows.Select(row => row.Length)]);
        Tensor hidden = model.Embed(Ragged.Pad(rows).Ids, layout);
        List<Tensor> selected = [], probabilities = [];
        foreach (TransformerBlock block in model.Blocks)
        {
            hidden = block.call(hidden, layout);
            if (block.Routing is not { } routing)
                continue;
            selected.Add(routing.Selected);
            probabilities.Add(routing.Probabilities);
        }
        model.eval();
        Tensor tokensPerExpert = nn.functional.one_hot(cat([.. selected]), configuration.Experts).to(float64).mean([0]);     // [K,E]
        Tensor probabilityPerExpert = cat([.. probabilities]).mean([0]);                                                     // [E]
        return (tokensPerExpert * probabilityPerExpert.unsqueeze(0)).sum().ToDouble() * configuration.Experts;
    }
}
