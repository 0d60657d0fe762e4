using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using MLNetExtension.Files;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Data.Store;

/// <summary>Encoded rows in a folder, recognized by all that the rows hold, by the tokenizer and by what else decides on their ids.</summary>
/// <remarks>A file is written under a temporary name and renamed when it is whole, so any number of processes may use one folder; one that is damaged or of another kind is not used, and written anew.</remarks>
internal sealed class TokenCache
{
    /// <summary>How the name of a file ends that is being written.</summary>
    public const string Unfinished = ".unfinished";

    private const string Extension = ".tokens";
    private static readonly string[] Parts = ["kept", "held-out"];

    private readonly string _folder;
    private readonly string _settings;
    private readonly Action<string> _warn;

    private TokenCache(string folder, string settings, Action<string> warn) => (_folder, _settings, _warn) = (folder, settings, warn);

    /// <summary>Whether there are rows that were encoded in the same way, if perhaps others.</summary>
    public bool MayHaveRows => Directory.EnumerateFiles(_folder, $"{_settings}-*-{Parts[0]}{Extension}").Any();

    /// <summary>Opens a cache.</summary>
    /// <param name="settings">The folder, which is created if it is missing, and where warnings go.</param>
    /// <param name="encoder">Turns a row into ids and targets.</param>
    /// <returns>Null where none is asked for, or the tokenizer is of a class of which nothing is known, which is a warning.</returns>
    /// <exception cref="IOException">The folder cannot be used.</exception>
    public static TokenCache? Open(StoreSettings settings, TokenExampleEncoder encoder)
    {
        if (settings.CacheFolder is not { } folder)
            return null;
        try
        {
            Directory.CreateDirectory(folder);
            DeleteAbandoned(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The folder '{folder}' of option TokenCacheFolder cannot be used: {exception.Message.TrimEnd('.')}.", exception);
        }
        if (TokenizerFingerprint.Of(encoder.Tokenizer) is not { } tokenizer)
        {
            settings.OnWarning?.Invoke($"The rows are not kept in '{folder}': a tokenizer of the class {encoder.Tokenizer.GetType().Name} cannot be recognized when it comes again.");
            return null;
        }
        string version = typeof(TokenCache).Assembly.ManifestModule.ModuleVersionId.ToString();
        string all = FormattableString.Invariant($"{version}\n{tokenizer}\n{encoder.ContextLength}\n{encoder.LongRows}\n{settings.HeldOutBy}");
        return new TokenCache(folder, ShortHash(SHA256.HashData(Encoding.UTF8.GetBytes(all))), settings.OnWarning ?? (_ => { }));
    }

    /// <summary>Starts a file.</summary>
    public CacheFile Create() => new(_folder);

    /// <summary>Opens the rows of a hash.</summary>
    /// <param name="rows">The hash of the rows, see <see cref="RowsHash"/>.</param>
    /// <param name="cancellationToken">Looked at about every megabyte.</param>
    /// <returns>The rows that are not held out, and those that are; null where they are not there, or not whole.</returns>
    public (StoredRows Kept, StoredRows HeldOut)? TryOpen(byte[] rows, CancellationToken cancellationToken)
    {
        StoredRows? kept = null;
        try
        {
            kept = TryOpen(PathOf(rows, 0), rows, cancellationToken);
            if (kept is not null && TryOpen(PathOf(rows, 1), rows, cancellationToken) is { } heldOut)
                return (kept, heldOut);
        }
        catch
        {
            kept?.Store.Dispose();
            throw;
        }
        kept?.Store.Dispose();
        return null;
    }

    /// <summary>Keeps rows that were written to files of this cache; where that fails, which is a warning, they can be used all the same.</summary>
    public void Keep(byte[] rows, params IReadOnlyList<(StoredRows Rows, CacheFile File)> parts)
    {
        try
        {
            for (int i = 0; i < parts.Count; i++)
            {
                (StoredRows stored, CacheFile file) = parts[i];
                CacheFooter footer = new() { Magic = CacheFooter.CurrentMagic, Count = stored.Store.Count, BytesPerId = stored.Store.BytesPerId, Counts = stored.Counts, Rows = CacheFooter.Digest.Of(rows) };
                file.Keep(PathOf(rows, i), stored.Store.Index, footer);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _warn($"The rows cannot be kept in '{_folder}': {exception.Message}");
        }
    }

    // A process that was killed leaves its file, which it held as long as it lived.
    private static void DeleteAbandoned(string folder)
    {
        foreach (string path in Directory.EnumerateFiles(folder, $"*{Unfinished}"))
            LockFile.TryTake(path, deleteOnDispose: true)?.Dispose();
    }

    private static string ShortHash(byte[] hash) => Convert.ToHexStringLower(hash.AsSpan(0, 10));

    private string PathOf(byte[] rows, int part) => Path.Combine(_folder, $"{_settings}-{ShortHash(rows)}-{Parts[part]}{Extension}");

    private StoredRows? TryOpen(string path, byte[] rows, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
            return null;
        FileBytes? file = null;
        try
        {
            file = FileBytes.Open(path);
            if (TryRead(file, rows, cancellationToken) is { } stored)
                return stored;
            _warn($"The file '{path}' is damaged or not a cache of these rows; they are encoded anew.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _warn($"The file '{path}' cannot be used, so the rows are encoded anew: {exception.Message}");
        }
        catch
        {
            file?.Dispose();
            throw;
        }
        file?.Dispose();
        return null;
    }

    private static StoredRows? TryRead(FileBytes file, byte[] rows, CancellationToken cancellationToken)
    {
        int footerSize = Unsafe.SizeOf<CacheFooter>();
        CacheFooter footer = default;
        long end = file.Length - footerSize;
        if (end < 0)
            return null;
        file.Read(end, MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref footer, 1)));
        bool isRight = footer is { Magic: CacheFooter.CurrentMagic, Bytes: >= 0, Count: >= 0, BytesPerId: sizeof(ushort) or sizeof(int) }
            && end - footer.Bytes == footer.Count * (long)Unsafe.SizeOf<RowEntry>()
            && ((ReadOnlySpan<byte>)footer.Rows).SequenceEqual(rows);
        if (!isRight)
            return null;

        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 20];
        RowIndex index = new();
        for (long at = 0; at < end;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            // Rows first, then entries of the index, none of which lies in two pieces.
            long left = at < footer.Bytes ? footer.Bytes - at : end - at;
            Span<byte> piece = buffer.AsSpan(0, (int)Math.Min(left, buffer.Length));
            file.Read(at, piece);
            hash.AppendData(piece);
            if (at >= footer.Bytes)
            {
                foreach (RowEntry entry in MemoryMarshal.Cast<byte, RowEntry>(piece))
                    index.Add(entry);
            }
            at += piece.Length;
        }
        CacheFooter.Digest found = footer.HashAfter(hash);
        return ((ReadOnlySpan<byte>)footer.Content).SequenceEqual(found)
            ? new StoredRows(new TokenStore(file, index, footer.BytesPerId, footer.Bytes), footer.Counts)
            : null;
    }
}

/// <summary>The rows of a data set.</summary>
/// <param name="Store">Those that have at least one target token and a weight above 0, in their order.</param>
/// <param name="Counts">What became of all of them.</param>
internal sealed record StoredRows(TokenStore Store, RowCounts Counts);
