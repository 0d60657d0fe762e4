using System.Runtime.InteropServices;

namespace MLNetExtension.Data.Store;

/// <summary>What ends a file of the cache: whose rows it has, how many bytes they take, and the hash of all before it.</summary>
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

    /// <summary>A SHA-256.</summary>
    [System.Runtime.CompilerServices.InlineArray(32)]
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
