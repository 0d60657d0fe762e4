using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training.Reports;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Reports;

/// <summary>Closed forms of the matrices' sizes, beside what is counted in a network.</summary>
[TestClass]
public sealed class ModelFlopsTests
{
    private const int V = 50, C = 12, L = 3, T = 10;

    private static readonly Gpt2Configuration Gpt2 = new(V, ContextLength: 16, Layers: L, Heads: 2, Width: C);

    // Per block 3C^2 + C^2 in attention and 8C^2 after it; the head is the embedding, which as a table costs nothing.
    [TestMethod]
    public void A_trained_weight_costs_6_operations_a_position_and_the_head_at_targets_alone()
    {
        using Gpt2Model model = new(Gpt2, seed: 1);
        double expected = T * (6.0 * L * 12 * C * C + 12.0 * L * C * T) + 4 * 6.0 * V * C;
        Assert.AreEqual(expected, ModelFlops.Of(model).OfRow(T, targets: 4));
    }

    [TestMethod]
    public void Scoring_costs_a_third()
    {
        using Gpt2Model model = new(Gpt2, seed: 1);
        Assert.AreEqual(ModelFlops.Of(model).OfRow(T, 4) / 3, ModelFlops.Of(model, trains: false).OfRow(T, 4));
    }

    // Queries, keys and values, the heads' output, gate and up, down; an adapter on each of the seven.
    [TestMethod]
    public void Beside_adapters_a_frozen_weight_costs_4()
    {
        const int Heads = 4, Groups = 2, D = 6, Inner = 20, Rank = 3;
        using LlamaModel model = new(new LlamaConfiguration { VocabularySize = V, ContextLength = 16, Layers = L, Width = C, Heads = Heads, KeyValueHeads = Groups, HeadWidth = D, FeedForwardWidth = Inner }, seed: 1);
        HuggingFaceAdapters.Attach(model, new LoraOptions { Rank = Rank }, seed: 1);
        (int In, int Out)[] matrices = [(C, Heads * D), (C, Groups * D), (C, Groups * D), (Heads * D, C), (C, Inner), (C, Inner), (Inner, C)];
        double frozen = matrices.Sum(matrix => matrix.In * matrix.Out), adapters = matrices.Sum(matrix => Rank * (matrix.In + matrix.Out));
        double expected = T * (L * (4 * frozen + 6 * adapters) + 12.0 * L * Heads * D * T) + 4 * 4.0 * V * C;
        Assert.AreEqual(expected, ModelFlops.Of(model).OfRow(T, targets: 4));
    }

    [TestMethod]
    public void Blocks_that_no_gradient_passes_cost_2()
    {
        using Gpt2Model model = new(Gpt2, seed: 1);
        foreach (var (name, parameter) in model.named_parameters())
            parameter.requires_grad = name.StartsWith("h.2.");
        Assert.AreEqual(L - 1, model.Blocks.Count(block => !block.parameters().Any(parameter => parameter.requires_grad)), "one block is trained");
        double expected = T * ((6 + 2 + 2) * 12.0 * C * C + (12.0 + 4 + 4) * C * T) + 4 * 4.0 * V * C;
        Assert.AreEqual(expected, ModelFlops.Of(model).OfRow(T, targets: 4));
    }

    [TestMethod]
    public void Of_experts_those_count_that_a_position_passes_through()
    {
        using Gpt2Model model = new(Gpt2 with { Experts = 4, ExpertsPerToken = 2 }, seed: 1);
        double expected = T * (L * 6.0 * (4 * C * C + 2 * 8 * C * C + 4 * C) + 12.0 * L * C * T) + 6.0 * V * C;
        Assert.AreEqual(expected, ModelFlops.Of(model).OfRow(T, targets: 1));
    }

    [TestMethod]
    public void The_peak_of_matrices_is_measured_in_well_under_a_second()
    {
        MatrixPeak.Measure(CPU, threads: 1, perSize: TimeSpan.Zero);    // the kernels are loaded
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        double peak = MatrixPeak.Measure(CPU, threads: 1, perSize: TimeSpan.FromMilliseconds(1));
        Assert.IsLessThan(5, System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds, "on a busy machine");
        Assert.IsInRange(1e8, 1e13, peak);
    }
}
