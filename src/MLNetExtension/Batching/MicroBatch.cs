using MLNetExtension.Data;
using static TorchSharp.torch;

namespace MLNetExtension.Batching;

/// <summary>
/// Rows that pass through the model together, padded at their right end. B rows, T positions, N targets in all.
/// Causal attention never looks right, so padding is seen by no real position, and since targets are named by their
/// positions, prompts and padding never reach the head.
/// </summary>
public sealed class MicroBatch : IDisposable
{
    private MicroBatch(Tensor ids, Tensor targetPositions, Tensor targets, Tensor targetRows, long targetCount)
    {
        Ids = ids;
        TargetPositions = targetPositions;
        Targets = targets;
        TargetRows = targetRows;
        TargetCount = targetCount;
    }

    /// <summary>Token ids, [B,T] int64; 0 where padded.</summary>
    public Tensor Ids { get; }

    /// <summary>Where the targets are, [N] int64: position t of row b is b T + t. Row by row, in order.</summary>
    public Tensor TargetPositions { get; }

    /// <summary>The target ids, [N] int64.</summary>
    public Tensor Targets { get; }

    /// <summary>The row b of each target, [N] int64.</summary>
    public Tensor TargetRows { get; }

    /// <summary>N, known on the host.</summary>
    public long TargetCount { get; }

    /// <summary>Pads examples to the longest of them and copies them to the device.</summary>
    /// <param name="examples">At least one example.</param>
    /// <param name="device">Where the tensors go.</param>
    public static MicroBatch Collate(IReadOnlyList<TokenExample> examples, Device device)
    {
        int length = examples.Max(e => e.Length);
        int count = examples.Sum(e => e.TargetCount);
        long[] ids = new long[examples.Count * length];
        long[] positions = new long[count], targets = new long[count], rows = new long[count];
        int n = 0;
        for (int b = 0; b < examples.Count; b++)
        {
            TokenExample example = examples[b];
            for (int t = 0; t < example.Length; t++)
            {
                ids[b * length + t] = example.Ids[t];
                if (example.Targets[t] == TokenExample.IgnoredTarget)
                    continue;
                (positions[n], targets[n], rows[n]) = (b * length + t, example.Targets[t], b);
                n++;
            }
        }
        return new MicroBatch(
            tensor(ids, [examples.Count, length], device: device), tensor(positions, device: device), tensor(targets, device: device), tensor(rows, device: device), count);
    }

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        Ids.Dispose();
        TargetPositions.Dispose();
        Targets.Dispose();
        TargetRows.Dispose();
    }
}
