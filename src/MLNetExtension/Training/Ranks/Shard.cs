namespace MLNetExtension.Training.Ranks;

/// <summary>The piece of a vector that a rank owns: pieces lie in the order of the ranks and are as long as one another, but for the last ones, which may be shorter or empty.</summary>
/// <param name="Start">Its first element.</param>
/// <param name="Length">How many elements it has.</param>
internal readonly record struct Shard(long Start, long Length)
{
    /// <summary>Finds the shard of a rank.</summary>
    /// <param name="length">Elements of the whole vector.</param>
    /// <param name="rank">The rank, from 0.</param>
    /// <param name="size">How many ranks there are.</param>
    public static Shard Of(long length, int rank, int size)
    {
        long each = (length + size - 1) / size, start = Math.Min(rank * each, length);
        return new Shard(start, Math.Min(each, length - start));
    }
}
