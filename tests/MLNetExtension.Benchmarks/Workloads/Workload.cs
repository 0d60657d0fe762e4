using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;

namespace MLNetExtension.Benchmarks.Workloads;

/// <summary>What every system is given: the sizes of a GPT-2, batches of random rows, and how many of them are timed.</summary>
/// <param name="Name">W1, W2 or W3.</param>
/// <param name="Configuration">Sizes of the model.</param>
/// <param name="RowsPerBatch">Rows of an optimizer step.</param>
/// <param name="ShortestRow">Fewest positions of a row; the most are the context.</param>
/// <param name="RowsPerMicroBatch">Rows that a peer passes through the model together, padded, in the order in which they come.</param>
/// <param name="WarmupSteps">Steps before the clock starts.</param>
/// <param name="TimedSteps">Steps on the clock, so many that a run of the bare loop takes 10 to 40 seconds on two cores.</param>
internal sealed record Workload(
    string Name, Gpt2Configuration Configuration, int RowsPerBatch, int ShortestRow, int RowsPerMicroBatch, int WarmupSteps, int TimedSteps)
{
    public static IReadOnlyList<Workload> All { get; } =
    [
        new("W1", new(VocabularySize: 512, ContextLength: 128, Layers: 4, Heads: 4, Width: 128), RowsPerBatch: 32, ShortestRow: 16, RowsPerMicroBatch: 4, WarmupSteps: 3, TimedSteps: 24),
        new("W2", new(VocabularySize: 8192, ContextLength: 256, Layers: 6, Heads: 6, Width: 384), RowsPerBatch: 16, ShortestRow: 64, RowsPerMicroBatch: 4, WarmupSteps: 1, TimedSteps: 6),
        new("W3", new(VocabularySize: 50257, ContextLength: 256, Layers: 12, Heads: 12, Width: 768), RowsPerBatch: 4, ShortestRow: 256, RowsPerMicroBatch: 2, WarmupSteps: 1, TimedSteps: 4),
    ];

    /// <summary>Finds a workload by its name.</summary>
    /// <param name="name">In any case.</param>
    public static Workload Named(string name) => All.Single(workload => workload.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Draws a batch of rows for every step, the same ones at every call.</summary>
    /// <returns>Batches of rows of ids. A row of T positions has T + 1 ids: every position has a target.</returns>
    public int[][][] DrawBatches()
    {
        Random random = new(Seed: 1);
        return [.. Enumerable.Range(0, WarmupSteps + TimedSteps).Select(_ => Rows(RowsPerBatch, () => random.Next(ShortestRow, Configuration.ContextLength + 1), random))];
    }

    /// <summary>Draws rows of one length.</summary>
    /// <param name="count">Number of rows.</param>
    /// <param name="length">Positions of each.</param>
    public TokenExample[] DrawRows(int count, int length) => Examples(Rows(count, () => length, new Random(Seed: 1)));

    /// <summary>Makes the library's examples of rows of ids.</summary>
    /// <param name="rows">Each one id longer than its positions.</param>
    public static TokenExample[] Examples(int[][] rows) => [.. rows.Select((ids, row) => new TokenExample(ids[..^1], ids[1..], targetBytes: 0, position: row))];

    private int[][] Rows(int count, Func<int> length, Random random) =>
        [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, length() + 1).Select(_ => random.Next(Configuration.VocabularySize)).ToArray())];
}
