using System.Buffers.Binary;
using System.Security.Cryptography;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Ranks;

/// <summary>A hash of a tensor's bits, as numbers that travel between ranks.</summary>
internal static class TensorHash
{
    private const long PieceLength = 1 << 20;

    /// <summary>Computes the hash.</summary>
    /// <param name="vector">One dimension, contiguous, on any device.</param>
    /// <returns>The first 96 bits of its SHA-256, in numbers that float64 holds exactly.</returns>
    public static double[] Compute(Tensor vector)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long start = 0; start < vector.numel(); start += PieceLength)
        {
            using var piece = NewDisposeScope();
            hash.AppendData(vector.narrow(0, start, Math.Min(PieceLength, vector.numel() - start)).cpu().bytes);
        }
        byte[] bits = hash.GetHashAndReset();
        return [BinaryPrimitives.ReadUInt32LittleEndian(bits), BinaryPrimitives.ReadUInt32LittleEndian(bits.AsSpan(4)), BinaryPrimitives.ReadUInt32LittleEndian(bits.AsSpan(8))];
    }
}
