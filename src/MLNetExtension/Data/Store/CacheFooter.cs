using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace MLNetExtension.Data.Store;

/// <summary>What ends a file of the cache: whose rows it has, how many bytes they take, and the hash of everything.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct CacheFooter
{
    // "MLNTOK01" as a little-endian number.
    public const ulong CurrentMagic = 0x3130_4B4F_544E_4C4D;

    public ulong Magic;
    public long Bytes;
    public int Count;
    public int BytesPerId;
    public RowCounts Counts;
    public Digest Rows;
    public Digest Content;

    /// <summary>Gives the hash of what was hashed before and of this footer, but for its own hash.</summary>
    public readonly Digest HashAfter(IncrementalHash hash)
    {
        CacheFooter others = this with { Content = default };
        hash.AppendData(MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref others, 1)));
        return Digest.Of(hash.GetHashAndReset());
    }

    /// <summary>A SHA-256.</summary>
    [InlineArray(32)]
    public struct Digest
    {
        private byte _first;

        public static Digest Of(ReadOnlySpan<byte> hash)
        {
            Digest digest = default;
            hash.CopyTo(digest);
            return digest;
        }
    }
}
