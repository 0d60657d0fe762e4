using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetExtension.MLNet.Trainer;
using MLNetExtension.Training.Splitting;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>The line that says how batches are split, and why.</summary>
[TestClass]
public sealed class SplitLineTests
{
    private static readonly MeasuredPlan _chosen = Plan(512, 2, tokensPerSecond: 1000, footprintMiB: 300), _fastest = Plan(2048, 1, tokensPerSecond: 1040, footprintMiB: 700);

    [TestMethod]
    public void The_fastest_split_is_said_to_be() => Assert.AreEqual(
        "Micro-batches hold at most 512 tokens; 2 of them are computed side by side: of 7 splits tried in 40 steps, the fastest; 1,000 tokens per second, 300 MiB for the training.",
        LineOf(_chosen.Plan, new SplitChoice(_chosen, _chosen, Tried: 7, Steps: 40)));

    [TestMethod]
    public void A_split_that_needs_less_memory_than_the_fastest_is_said_to_and_how_much() => Assert.AreEqual(
        "Micro-batches hold at most 512 tokens; 2 of them are computed side by side: of 7 splits tried in 40 steps, the fastest that is worth its memory "
            + "(2,048 tokens by one worker would be 4 % faster and take 400 MiB more); 1,000 tokens per second, 300 MiB for the training.",
        LineOf(_chosen.Plan, new SplitChoice(_chosen, _fastest, Tried: 7, Steps: 40)));

    [TestMethod]
    public void A_split_that_is_fixed_is_only_named() => Assert.AreEqual("Micro-batches hold at most 2,048 tokens.", LineOf(_fastest.Plan, null));

    // Before, the line stood after the first step and said by how many tokens that was computed.
    [TestMethod]
    [DataRow(3, 0, "Micro-batches hold at most 512 tokens.")]
    [DataRow(3, 64, "Micro-batches hold at most 64 tokens.")]
    [DataRow(200, 0, " splits tried in ")]
    public void A_training_writes_the_line_once(int steps, int tokens, string expected)
    {
        var mlContext = new MLContext(seed: 1);
        List<string> lines = [];
        mlContext.Log += (_, e) => lines.Add(e.RawMessage);
        var options = Tiny.Options(steps);
        options.Batching = new() { MaximumTokensPerMicroBatch = tokens == 0 ? null : tokens };
        using var model = Tiny.Train(mlContext, options);
        Assert.Contains(expected, lines.Single(line => line.StartsWith("Micro-batches hold", StringComparison.Ordinal)));
    }

    private static string LineOf(SplitPlan plan, SplitChoice? choice)
    {
        var mlContext = new MLContext(seed: 1);
        List<string> lines = [];
        mlContext.Log += (_, e) => lines.Add(e.RawMessage);
        using (var channel = ((IHostEnvironment)mlContext).Register("test").Start("test"))
            new TrainingReport(channel, Tiny.Options()).Split(plan, choice);
        return lines.Single(line => line.StartsWith("Micro-batches hold", StringComparison.Ordinal));
    }

    private static MeasuredPlan Plan(int tokens, int workers, double tokensPerSecond, double footprintMiB) => new(new SplitPlan(tokens, workers, Threads: 2, Pack: true), 1 / tokensPerSecond, footprintMiB);
}
