using MLNetExtension.Data;
using static TorchSharp.torch;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>A batch split into micro-batches of equal numbers of rows, in their given order, each padded to its longest row. B rows, T positions.</summary>
internal sealed class PaddedBatch : IDisposable
{
    /// <summary>The target of a padded position.</summary>
    public const long Ignored = TokenExample.IgnoredTarget;

    public PaddedBatch(TokenExample[] rows, int rowsPerMicroBatch, Device device)
    {
        TargetCount = rows.Sum(row => row.TargetCount);
        MicroBatches = [.. rows.Chunk(rowsPerMicroBatch).Select(chunk => Pad(chunk, device))];
    }

    public int TargetCount { get; }

    /// <summary>Ids and targets, [B,T] int64.</summary>
    public IReadOnlyList<(Tensor Ids, Tensor Targets)> MicroBatches { get; }

    public void Dispose()
    {
        foreach ((Tensor ids, Tensor targets) in MicroBatches)
        {
            ids.Dispose();
            targets.Dispose();
        }
    }

    private static (Tensor Ids, Tensor Targets) Pad(TokenExample[] rows, Device device)
    {
        int longest = rows.Max(row => row.Length);
        long[] ids = new long[rows.Length * longest], targets = new long[rows.Length * longest];
        Array.Fill(targets, Ignored);
        for (int b = 0; b < rows.Length; b++)
        {
            for (int t = 0; t < rows[b].Length; t++)
                (ids[b * longest + t], targets[b * longest + t]) = (rows[b].Ids[t], rows[b].Targets[t]);
        }
        return (tensor(ids, [rows.Length, longest], device: device), tensor(targets, [rows.Length, longest], device: device));
    }
}
