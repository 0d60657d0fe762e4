using System.Buffers.Binary;
using System.Globalization;

namespace MLNetExtension.Tests.Hostile;

/// <summary>What a file is, for <see cref="Mutator.Mutate"/>: beside its bytes, its parts are altered.</summary>
internal enum FileFormat
{
    /// <summary>Bytes of which nothing is known.</summary>
    Binary,

    /// <summary>One JSON value.</summary>
    Json,

    /// <summary>A length, a JSON header of that length, and data.</summary>
    Safetensors,

    /// <summary>A model saved by ML.NET, a zip archive.</summary>
    Archive,
}

/// <summary>An altered file.</summary>
/// <param name="Kind">The kind of alteration, one of a few dozen names: group by it to count how often each was tried.</param>
/// <param name="Description">What was altered, for the message of a test that fails.</param>
/// <param name="Bytes">The altered file.</param>
internal sealed record Mutation(string Kind, string Description, byte[] Bytes);

/// <summary>Alters files. The result is a function of the bytes, the format and the seed, so that a failure is repeated by its seed alone.</summary>
/// <remarks>
/// <para>Use: <c>Mutation mutation = Mutator.Mutate(bytes, seed, FileFormat.Json)</c> with the seeds 0, 1, 2, ...; write <c>mutation.Bytes</c> where the file was, load it, and allow two
/// outcomes: success in bounded time, or one of the exceptions in <see cref="HostileFile.IsClear"/> whose message names the file. On any other outcome report the seed and
/// <c>mutation.Description</c>.</para>
/// <para>Four of five alterations know the format: numbers become extreme, strings become null, keys are removed, nesting deepens; a safetensors header is altered as JSON
/// and gets a fitting length; an archive's entry is altered as what it is and packed again, and every other time the manifest is made to agree with it. The fifth alters bytes.</para>
/// </remarks>
internal static class Mutator
{
    private static readonly (string Name, Func<byte[], Random, byte[]> Change)[] Changes =
    [
        ("flip a bit", (bytes, random) => SetAt(bytes, random, old => (byte)(old ^ (1 << random.Next(8))))),
        ("set a byte", (bytes, random) => SetAt(bytes, random, _ => (byte)random.Next(256))),
        ("truncate", (bytes, random) => bytes[..random.Next(bytes.Length)]),
        ("truncate a little", (bytes, random) => bytes[..^Math.Min(bytes.Length, random.Next(1, 9))]),
        ("cut out", (bytes, random) => Replace(bytes, random, _ => [])),
        ("insert", (bytes, random) => InsertAt(bytes, random, Noise(random))),
        ("swap", Swap),
        ("repeat", (bytes, random) => Replace(bytes, random, part => [.. part, .. part])),
        ("fill with zeros", (bytes, random) => Replace(bytes, random, part => new byte[part.Length])),
        ("fill with ones", (bytes, random) => Replace(bytes, random, part => [.. Enumerable.Repeat((byte)0xFF, part.Length)])),
        ("append", (bytes, random) => [.. bytes, .. Noise(random)]),
        ("prepend a byte order mark", (bytes, _) => [0xEF, 0xBB, 0xBF, .. bytes]),
    ];

    /// <summary>Alters a file in one way.</summary>
    /// <param name="bytes">The file; not empty.</param>
    /// <param name="seed">Which alteration.</param>
    /// <param name="format">What the file is.</param>
    public static Mutation Mutate(byte[] bytes, int seed, FileFormat format = FileFormat.Binary)
    {
        Random random = new(seed);
        return format == FileFormat.Binary || random.Next(5) == 0 ? MutateBytes(bytes, random) : format switch
        {
            FileFormat.Json => JsonMutator.Mutate(bytes, random),
            FileFormat.Safetensors => MutateHeader(bytes, random),
            _ => ArchiveMutator.Mutate(bytes, random),
        };
    }

    internal static Mutation MutateBytes(byte[] bytes, Random random)
    {
        (string name, Func<byte[], Random, byte[]> change) = Changes[random.Next(Changes.Length)];
        byte[] changed = change(bytes, random);
        int at = bytes.AsSpan().CommonPrefixLength(changed);
        return new Mutation(name, string.Create(CultureInfo.InvariantCulture, $"{name}, from byte {at} on, {bytes.Length} bytes to {changed.Length}"), changed);
    }

    // One time in eight the length does not fit.
    private static Mutation MutateHeader(byte[] bytes, Random random)
    {
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Mutation header = JsonMutator.Mutate(bytes[8..(8 + length)], random);
        byte[] prefix = new byte[8];
        bool fits = random.Next(8) > 0;
        BinaryPrimitives.WriteInt64LittleEndian(prefix, fits ? header.Bytes.Length : random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64));
        return new Mutation(fits ? $"header: {header.Kind}" : "header: length", header.Description, [.. prefix, .. header.Bytes, .. bytes[(8 + length)..]]);
    }

    private static byte[] SetAt(byte[] bytes, Random random, Func<byte, byte> change)
    {
        byte[] changed = [.. bytes];
        int at = random.Next(bytes.Length);
        changed[at] = change(changed[at]);
        return changed;
    }

    private static byte[] InsertAt(byte[] bytes, Random random, byte[] inserted)
    {
        int at = random.Next(bytes.Length + 1);
        return [.. bytes[..at], .. inserted, .. bytes[at..]];
    }

    private static byte[] Replace(byte[] bytes, Random random, Func<byte[], byte[]> change)
    {
        int from = random.Next(bytes.Length), to = Math.Min(bytes.Length, from + Length(random));
        return [.. bytes[..from], .. change(bytes[from..to]), .. bytes[to..]];
    }

    // Two parts of one length, which may overlap.
    private static byte[] Swap(byte[] bytes, Random random)
    {
        int length = Math.Min(bytes.Length, Length(random)), first = random.Next(bytes.Length - length + 1), second = random.Next(bytes.Length - length + 1);
        byte[] changed = [.. bytes];
        bytes.AsSpan(first, length).CopyTo(changed.AsSpan(second));
        bytes.AsSpan(second, length).CopyTo(changed.AsSpan(first));
        return changed;
    }

    private static byte[] Noise(Random random)
    {
        byte[] noise = new byte[Length(random)];
        random.NextBytes(noise);
        return noise;
    }

    // Mostly few, sometimes thousands.
    private static int Length(Random random) => 1 + random.Next(1 << random.Next(1, 13));
}
