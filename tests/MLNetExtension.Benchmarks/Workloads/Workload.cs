using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;

namespace MLNetExtension.Benchmarks.Workloads;

/// <summary>What every system is given: a network, batches of random rows, what is done with them, and how many of them are timed.</summary>
/// <param name="Name">W1 to W6.</param>
/// <param name="Network">The network and its starting weights.</param>
/// <param name="Rows">The rows of a batch.</param>
/// <param name="RowsPerMicroBatch">Rows that a peer passes through the model together, padded, in the order in which they come.</param>
/// <param name="WarmupSteps">Steps before the clock starts.</param>
/// <param name="TimedSteps">Steps on the clock, so many that a run of the bare loop takes 10 to 40 seconds on two cores.</param>
internal sealed record Workload(string Name, WorkloadNetwork Network, RowShape Rows, int RowsPerMicroBatch, int WarmupSteps, int TimedSteps)
{
    private static readonly Workload W2 = new(
        "W2", new WorkloadNetwork.Gpt2(new Gpt2Configuration(VocabularySize: 8192, ContextLength: 256, Layers: 6, Heads: 6, Width: 384)), new RowShape(Count: 16, Shortest: 64, Longest: 256),
        RowsPerMicroBatch: 4, WarmupSteps: 1, TimedSteps: 6);

    public static IReadOnlyList<Workload> All { get; } =
    [
        new(
            "W1", new WorkloadNetwork.Gpt2(new Gpt2Configuration(VocabularySize: 512, ContextLength: 128, Layers: 4, Heads: 4, Width: 128)), new RowShape(Count: 32, Shortest: 16, Longest: 128),
            RowsPerMicroBatch: 4, WarmupSteps: 3, TimedSteps: 24),
        W2,
        new(
            "W3", new WorkloadNetwork.Gpt2(new Gpt2Configuration(VocabularySize: 50257, ContextLength: 256, Layers: 12, Heads: 12, Width: 768)), new RowShape(Count: 4, Shortest: 256, Longest: 256),
            RowsPerMicroBatch: 2, WarmupSteps: 1, TimedSteps: 4),
        // SmolLM2-135M's shape, and rows as in fine-tuning, where two thirds are prompts.
        new(
            "W4",
            new WorkloadNetwork.LlamaWithAdapters(
                new LlamaConfiguration { VocabularySize = 49152, ContextLength = 256, Layers = 30, Width = 576, Heads = 9, KeyValueHeads = 3, FeedForwardWidth = 1536, TiedHead = true },
                new LoraOptions { Rank = 16, Alpha = 32 }),
            new RowShape(Count: 8, Shortest: 64, Longest: 256, TargetShare: 1.0 / 3),
            RowsPerMicroBatch: 4, WarmupSteps: 1, TimedSteps: 2)
        {
            TriesSplits = false,
        },
        W2 with { Name = "W5", IsTrained = false, WarmupSteps = 2, TimedSteps = 12 },
        new(
            "W6", new WorkloadNetwork.Gpt2(new Gpt2Configuration(VocabularySize: 50257, ContextLength: 1024, Layers: 12, Heads: 12, Width: 768)), new RowShape(Count: 32, Shortest: 128, Longest: 1024),
            RowsPerMicroBatch: 8, WarmupSteps: 3, TimedSteps: 10)
        {
            IsForGpu = true,
        },
    ];

    /// <summary>Whether the network is trained; else rows are scored, and no weight changes. Default true.</summary>
    public bool IsTrained { get; private init; } = true;

    /// <summary>Whether ours tries splits before its first step; else it takes the one that a training too short for trials takes. Default true; false where a dozen more steps would take minutes.</summary>
    public bool TriesSplits { get; private init; } = true;

    /// <summary>Whether it is too large for a CPU. Default false.</summary>
    public bool IsForGpu { get; private init; }

    /// <summary>Finds a workload by its name.</summary>
    /// <param name="name">In any case.</param>
    public static Workload Named(string name) => All.Single(workload => workload.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Draws a batch of rows for every step, the same ones at every call.</summary>
    /// <returns>Batches of rows of ids. A row of T positions has T + 1 ids.</returns>
    public int[][][] DrawBatches()
    {
        Random random = new(Seed: 1);
        return [.. Enumerable.Range(0, WarmupSteps + TimedSteps).Select(_ => Draw(Rows.Count, () => random.Next(Rows.Shortest, Rows.Longest + 1), random))];
    }

    /// <summary>Draws rows of one length.</summary>
    /// <param name="count">Number of rows.</param>
    /// <param name="length">Positions of each.</param>
    public TokenExample[] DrawRows(int count, int length) => Examples(Draw(count, () => length, new Random(Seed: 1)));

    /// <summary>Makes the library's examples of rows of ids.</summary>
    /// <param name="rows">Each one id longer than its positions.</param>
    public TokenExample[] Examples(int[][] rows) => [.. rows.Select(Example)];

    private TokenExample Example(int[] ids, int row)
    {
        int[] targets = ids[1..];
        Array.Fill(targets, TokenExample.IgnoredTarget, 0, targets.Length - Rows.CountTargets(targets.Length));
        return new TokenExample(ids[..^1], targets, targetBytes: 0, position: row);
    }

    private int[][] Draw(int count, Func<int> length, Random random) =>
        [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, length() + 1).Select(_ => random.Next(Network.VocabularySize)).ToArray())];
}

/// <summary>The rows of a batch.</summary>
/// <param name="Count">How many there are.</param>
/// <param name="Shortest">Fewest positions of a row.</param>
/// <param name="Longest">Most positions of a row.</param>
/// <param name="TargetShare">Share of a row's positions, at its end, that have a target. Default 1, all.</param>
internal sealed record RowShape(int Count, int Shortest, int Longest, double TargetShare = 1)
{
    /// <summary>Counts the targets of a row.</summary>
    /// <param name="length">Its positions.</param>
    public int CountTargets(int length) => Math.Max(1, (int)Math.Round(length * TargetShare));
}
