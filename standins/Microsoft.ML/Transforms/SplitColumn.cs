using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>
/// A share in [0, 1) for every row: drawn in order, or a hash of the row's key. Generator, hash and default seeds are the genuine package's, so that
/// one seed gives the same rows with either (for text keys: where they are ASCII).
/// </summary>
internal sealed class SplitColumn
{
    private const int HashBits = 30;
    private const int DrawSeed = 42;
    private const uint HashSeed = 314489979;

    private readonly IHostEnvironment _env;
    private readonly IDataView _data;
    private readonly DataViewSchema.Column? _key;
    private readonly int? _seed;

    public SplitColumn(IHostEnvironment env, IDataView data, string keyColumn, int? seed)
    {
        _env = env;
        _data = data;
        _seed = seed;
        if (keyColumn == null)
            return;
        DataViewSchema.Column key = data.Schema.GetColumnOrNull(keyColumn)
            ?? throw env.ExceptSchemaMismatch("samplingKeyColumn", "SamplingKeyColumn", keyColumn);
        if (!new[] { typeof(ReadOnlyMemory<char>), typeof(int), typeof(long) }.Contains(key.Type.RawType))
            throw env.ExceptNotSupp($"The stand-in splits by text, Int32 and Int64 columns; '{keyColumn}' is {key.Type}.");
        _key = key;
    }

    /// <summary>The rows whose share passes the test; rows with an empty text as their key have no share and never pass.</summary>
    public IDataView Filter(Func<double, bool> test)
    {
        if (_key is not DataViewSchema.Column key)
        {
            return new RowFilter(_env, _data, [], _ =>
            {
                Random random = RandomUtils.Create(_seed ?? DrawSeed);
                return () => test(NextShare(random));
            }, keepsOrder: true);
        }
        return new RowFilter(_env, _data, [key], row =>
        {
            Func<uint?> hash = Hasher(row, key, _seed is int seed ? (uint)seed : HashSeed);
            return () => hash() is uint value && test(((value & ((1u << HashBits) - 1)) + 0.5) / (1u << HashBits));
        });
    }

    // 23 bits of the generator's 32, as the genuine package draws a Single.
    private static double NextShare(Random random) => ((uint)(random.NextDouble() * (1L << 32)) >> 9) / (double)(1 << 23);

    private static Func<uint?> Hasher(DataViewRow row, DataViewSchema.Column key, uint seed)
    {
        if (key.Type.RawType == typeof(int))
            return OfNumber(RowFilter.Reader(row.GetGetter<int>(key)));
        if (key.Type.RawType == typeof(long))
            return OfNumber(RowFilter.Reader(row.GetGetter<long>(key)));
        Func<ReadOnlyMemory<char>> read = RowFilter.Reader(row.GetGetter<ReadOnlyMemory<char>>(key));
        return () => read() is { IsEmpty: false } text ? Murmur3(seed, Encoding.UTF8.GetBytes(text.ToString().Trim(' '))) : null;

        Func<uint?> OfNumber<T>(Func<T> number)
            where T : unmanaged => () => Murmur3(seed, MemoryMarshal.AsBytes([number()]));
    }

    private static uint Murmur3(uint hash, ReadOnlySpan<byte> bytes)
    {
        int length = bytes.Length;
        for (; bytes.Length >= 4; bytes = bytes[4..])
            hash = (BitOperations.RotateLeft(hash ^ Scramble(BinaryPrimitives.ReadUInt32LittleEndian(bytes)), 13) * 5) + 0xE6546B64;
        uint tail = 0;
        for (int i = bytes.Length - 1; i >= 0; i--)
            tail = (tail << 8) | bytes[i];
        hash ^= Scramble(tail) ^ (uint)length;
        hash = (hash ^ (hash >> 16)) * 0x85EBCA6B;
        hash = (hash ^ (hash >> 13)) * 0xC2B2AE35;
        return hash ^ (hash >> 16);

        static uint Scramble(uint chunk) => BitOperations.RotateLeft(chunk * 0xCC9E2D51, 15) * 0x1B873593;
    }
}
