using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization.Rules;

/// <summary>Numbers in 8 bits: blocks of 256 are divided by the largest of each, and what is left, from -1 to 1, is rounded to one of 256 values that are dense near 0.</summary>
/// <remarks>
/// The values are those of dynamic quantization: of each of seven decades below 1, the middles of equal intervals, twice as many as of the decade below it; and 0 and 1. Source: T. Dettmers et al., "8-bit optimizers
/// via block-wise quantization", 2021, arXiv 2110.02861.
/// </remarks>
internal sealed class BlockCode : IDisposable
{
    /// <summary>Numbers that share a scale.</summary>
    public const int BlockLength = 256;

    private const int Decades = 7;

    // float32's smallest normal number.
    private const double SmallestScale = 1.18e-38;

    private readonly Tensor _values;        // [256], ascending
    private readonly Tensor _boundaries;    // [255]: where a number is rounded up to the next value

    /// <summary>Creates a code.</summary>
    /// <param name="signed">Whether it has values below 0. Without, no number above 0 is rounded to 0, so that it can be divided by.</param>
    /// <param name="dtype">Type of the numbers.</param>
    /// <param name="device">Where they are.</param>
    public BlockCode(bool signed, ScalarType dtype, Device device)
    {
        double[] values = [.. ListValues(signed).Order()];
        double[] boundaries = [.. values.Zip(values.Skip(1), (lower, upper) => (lower + upper) / 2)];
        if (!signed)
            boundaries[0] = 0;
        _values = tensor(values, dtype: dtype, device: device).DetachFromDisposeScope();
        _boundaries = tensor(boundaries, dtype: dtype, device: device).DetachFromDisposeScope();
    }

    /// <summary>Counts the scales that numbers need.</summary>
    /// <param name="length">How many numbers.</param>
    public static long CountBlocks(long length) => (length + BlockLength - 1) / BlockLength;

    /// <summary>Rounds numbers.</summary>
    /// <param name="numbers">[n].</param>
    /// <param name="codes">Receives the codes, [n] uint8.</param>
    /// <param name="scales">Receives the largest absolute number of each block, [blocks of n].</param>
    public void Encode(Tensor numbers, Tensor codes, Tensor scales)
    {
        Tensor blocks = Pad(numbers).view(-1, BlockLength);                                             // [blocks, 256]
        scales.copy_(blocks.abs().amax([1]));
        Tensor shares = blocks / scales.clamp(min: Scalars.Of(SmallestScale)).unsqueeze(1);      // a block of zeros stays one
        codes.copy_(bucketize(shares, _boundaries).flatten().narrow(0, 0, numbers.shape[0]));
    }

    /// <summary>Gives the rounded numbers.</summary>
    /// <param name="codes">[n] uint8.</param>
    /// <param name="scales">[blocks of n].</param>
    /// <returns>[n].</returns>
    public Tensor Decode(Tensor codes, Tensor scales)
    {
        long length = codes.shape[0];
        Tensor shares = _values.index_select(0, codes.to(ScalarType.Int64));                            // [n]
        return Pad(shares).view(-1, BlockLength).mul_(scales.unsqueeze(1)).flatten().narrow(0, 0, length);
    }

    public void Dispose()
    {
        _values.Dispose();
        _boundaries.Dispose();
    }

    private static Tensor Pad(Tensor numbers) => nn.functional.pad(numbers, [0, CountBlocks(numbers.shape[0]) * BlockLength - numbers.shape[0]]);

    private static IEnumerable<double> ListValues(bool signed)
    {
        yield return 0;
        yield return 1;
        for (int decade = 0; decade < Decades; decade++)
        {
            double top = Math.Pow(10, decade - Decades + 1);
            int count = 1 << (signed ? decade : decade + 1);
            for (int i = 0; i < count; i++)
            {
                double middle = top * (0.1 + 0.9 * (i + 0.5) / count);
                yield return middle;
                if (signed)
                    yield return -middle;
            }
        }
    }
}
