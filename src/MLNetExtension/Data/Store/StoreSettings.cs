namespace MLNetExtension.Data.Store;

/// <summary>How the rows of a data set are read into a store.</summary>
internal sealed record StoreSettings
{
    /// <summary>Bytes that a store keeps in memory; a larger one is in a file. Default: 256 MiB.</summary>
    public long MemoryLimit { get; init; } = 256L << 20;

    /// <summary>Where a temporary file is made. Default: the system's temporary folder.</summary>
    public string TemporaryFolder { get; init; } = Path.GetTempPath();

    /// <summary>The folder where encoded rows are kept, for the next time. Default: null, they are not.</summary>
    public string? CacheFolder { get; init; }

    /// <summary>Receives sentences about the cache. Default: nobody does.</summary>
    public Action<string>? OnWarning { get; init; }

    /// <summary>Whether the row of a position, from 0, is held out. Default: none is.</summary>
    public Func<long, bool> IsHeldOut { get; init; } = _ => false;

    /// <summary>What <see cref="IsHeldOut"/> depends on. Default: nothing.</summary>
    public string HeldOutBy { get; init; } = "";

    /// <summary>Called every so often with the rows encoded so far and the time since the first. Default: not at all.</summary>
    public Action<long, TimeSpan>? OnProgress { get; init; }

    /// <summary>Time between two such calls. Default: 10 s.</summary>
    public TimeSpan ProgressInterval { get; init; } = TimeSpan.FromSeconds(10);
}
