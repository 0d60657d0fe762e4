using MLNetExtension.Data;
using MLNetExtension.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>
/// NEFTune: uniform noise on the embedded tokens of a row, between -1 and 1 times alpha / sqrt(L C). L tokens of the row without padding, P positions of all rows, C width.
/// </summary>
/// <remarks>
/// <para>The noise of a row is a function of the step's seed and of the row alone, so any split of a batch has the same. It is SplitMix64's: the row's generator gives each position a seed, and the generator of that seed
/// gives the noise of one channel after another, from the highest 31 bits of its numbers. On a GPU it is the same as on a CPU.</para>
/// <para>Source: N. Jain et al., "NEFTune: noisy embeddings improve instruction finetuning", 2023, arXiv 2310.05914, algorithm 1.</para>
/// </remarks>
internal static class EmbeddingNoise
{
    // Channels of all positions that are drawn at a time: they are numbers of 64 bits on the way. To a GPU each piece is a dozen kernels to start.
    private const long PieceOnCpu = 1 << 18, PieceOnGpu = 1 << 24;

    /// <summary>Adds noise to embedded tokens, in place; padding gets none.</summary>
    /// <param name="tokens">[B,T,C], without a gradient.</param>
    /// <param name="microBatch">Their rows.</param>
    /// <param name="alpha">The size of the noise.</param>
    /// <param name="seed">The step's seed.</param>
    public static void Add(Tensor tokens, MicroBatch microBatch, double alpha, long seed)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor positions = tokens.flatten(0, 1);                                                                  // [P,C]
        long count = positions.shape[0], width = positions.shape[1], together = Math.Max(1, (tokens.device_type == DeviceType.CPU ? PieceOnCpu : PieceOnGpu) / width);
        Rows rows = Rows.Of(microBatch, alpha / Math.Sqrt(width), seed);
        Tensor seeds = tokens.device.Upload(rows.Seeds).unsqueeze(1);                                    // [P,1]
        Tensor sizes = tokens.device.Upload(rows.Sizes).to(tokens.dtype.Widen()).unsqueeze(1);
        Tensor states = RandomBits.States(1, width, tokens.device);                                               // [C]
        for (long start = 0; start < count; start += together)
        {
            using var piece = NewDisposeScope();
            long length = Math.Min(together, count - start);
            Tensor size = sizes.narrow(0, start, length);
            positions.narrow(0, start, length).add_(RandomBits.Draw(seeds.narrow(0, start, length).Plus(states)).to(size.dtype).mul_(size), Scalars.One);
        }
    }

    /// <summary>The seeds of all positions, and the size of their noise over that of <see cref="RandomBits"/>, [P] each; 0 for padding.</summary>
    private sealed record Rows(long[] Seeds, double[] Sizes)
    {
        private const double Unit = 1.0 / RandomBits.Range;

        public static Rows Of(MicroBatch microBatch, double size, long seed)
        {
            Rows rows = new(new long[microBatch.Ids.numel()], new double[microBatch.Ids.numel()]);
            long start = 0;
            foreach (TokenExample example in microBatch.Examples)
            {
                SplitMix64 random = new(KeyOf(example, seed));
                for (int t = 0; t < example.Length; t++)
                    (rows.Seeds[start + t], rows.Sizes[start + t]) = (unchecked((long)random.NextUInt64()), size / Math.Sqrt(example.Length) * Unit);
                start += microBatch.IsPacked ? example.Length : microBatch.Ids.shape[1];
            }
            return rows;
        }

        // The pieces of a long row have the same position: their ids tell them apart.
        private static ulong KeyOf(TokenExample example, long seed)
        {
            ulong key = SplitMix64.Mix(SplitMix64.Mix(unchecked((ulong)seed)) + (ulong)example.Position);
            foreach (int id in example.Ids)
                key = SplitMix64.Mix(key + (uint)id);
            return key;
        }
    }
}
