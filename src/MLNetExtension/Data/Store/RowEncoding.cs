using System.Diagnostics;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Data.Store;

/// <summary>Encodes rows on all processors and collects them in their order: one thread reads and collects, the others encode groups of rows.</summary>
/// <remarks>Few rows are encoded by the calling thread alone, and so are those of a tokenizer of a user's own, which need not allow several threads. What is read ahead is bounded, in groups and in chars.</remarks>
internal sealed class RowEncoding : IDisposable
{
    private const int RowsPerGroup = 1024, CharsPerGroup = 1 << 18, CharsAhead = 1 << 23;

    private readonly TokenExampleEncoder _encoder;
    private readonly StoreSettings _settings;
    private readonly CancellationToken _cancellationToken;
    private readonly int _bytesPerId;
    private readonly int _groupsAhead;
    private readonly Queue<(Task<EncodedGroup> Task, long Chars)> _running = new();
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _charsAhead;
    private TimeSpan _lastReport;

    /// <summary>Starts with empty stores.</summary>
    /// <param name="encoder">Turns a row into ids and targets.</param>
    /// <param name="settings">Where the rows go.</param>
    /// <param name="cancellationToken">Looked at before every row is encoded.</param>
    /// <param name="kept">Where the rows go that are not held out. Default: into memory, and into a temporary file where they are many.</param>
    /// <param name="heldOut">Where the others go. Default: likewise.</param>
    public RowEncoding(TokenExampleEncoder encoder, StoreSettings settings, CancellationToken cancellationToken, IStoredBytes? kept = null, IStoredBytes? heldOut = null)
    {
        (_encoder, _settings, _cancellationToken) = (encoder, settings, cancellationToken);
        _bytesPerId = StoredRow.BytesPerId(encoder.Tokenizer.VocabularySize);
        _groupsAhead = AllowsThreads(encoder.Tokenizer) && Environment.ProcessorCount > 1 ? 2 * Environment.ProcessorCount : 0;
        Kept = NewBuilder(kept);
        HeldOut = NewBuilder(heldOut);
    }

    /// <summary>The rows that are not held out.</summary>
    public TokenStoreBuilder Kept { get; }

    /// <summary>The rows that are held out.</summary>
    public TokenStoreBuilder HeldOut { get; }

    /// <summary>Reads and encodes rows.</summary>
    /// <param name="rows">The rows, in order. Where reading one fails, those before it are encoded first: an error is that of the first row that has one.</param>
    /// <exception cref="IOException">A store cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public void Run(IEnumerable<RowContent> rows)
    {
        using IEnumerator<RowContent> enumerator = rows.GetEnumerator();
        Group group = new(0);
        bool isFirst = true;
        while (MoveNext(enumerator, group))
        {
            group.Add(enumerator.Current);
            if (group.Rows.Count < RowsPerGroup && group.Chars < CharsPerGroup)
                continue;
            Start(group);
            isFirst = false;
            group = new Group(group.FirstPosition + group.Rows.Count);
        }
        // All rows are in one group: a thread would only be waited for.
        if (isFirst)
            Append(Encode(group));
        else
            Finish(group);
    }

    /// <summary>Waits for what is still being encoded, and lets go of what no store owns.</summary>
    public void Dispose()
    {
        foreach ((Task<EncodedGroup> task, _) in _running)
        {
            Task.WhenAny(task).Wait();
            if (task.IsCompletedSuccessfully)
                task.Result.Dispose();
        }
        Kept.Dispose();
        HeldOut.Dispose();
    }

    private static bool AllowsThreads(ILanguageTokenizer tokenizer) => tokenizer is ByteTokenizer or TokenIdsOnly;

    private TokenStoreBuilder NewBuilder(IStoredBytes? bytes) =>
        new(bytes ?? new MemoryBytes(), _bytesPerId, _settings.MemoryLimit, _settings.CacheFolder ?? _settings.TemporaryFolder);

    private bool MoveNext(IEnumerator<RowContent> rows, Group group)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return rows.MoveNext();
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Finish(group);
            throw;
        }
    }

    private void Start(Group group)
    {
        if (_groupsAhead == 0)
        {
            Append(Encode(group));
            return;
        }
        while (_running.Count > 0 && (_running.Count >= _groupsAhead || _charsAhead + group.Chars > CharsAhead))
            AppendOldest();
        _running.Enqueue((Task.Run(() => Encode(group)), group.Chars));
        _charsAhead += group.Chars;
    }

    private void Finish(Group last)
    {
        if (last.Rows.Count > 0)
            Start(last);
        while (_running.Count > 0)
            AppendOldest();
    }

    private void AppendOldest()
    {
        (Task<EncodedGroup> task, long chars) = _running.Dequeue();
        _charsAhead -= chars;
        Append(task.GetAwaiter().GetResult());
    }

    private EncodedGroup Encode(Group group)
    {
        EncodedGroup encoded = new(new EncodedRows(_bytesPerId), new EncodedRows(_bytesPerId));
        try
        {
            for (int i = 0; i < group.Rows.Count; i++)
            {
                _cancellationToken.ThrowIfCancellationRequested();
                long position = group.FirstPosition + i;
                (_settings.IsHeldOut(position) ? encoded.HeldOut : encoded.Kept).Add(_encoder, group.Rows[i], position);
            }
            return encoded;
        }
        catch
        {
            encoded.Dispose();
            throw;
        }
    }

    private void Append(EncodedGroup group)
    {
        using (group)
        {
            Kept.Append(group.Kept);
            HeldOut.Append(group.HeldOut);
        }
        TimeSpan elapsed = Stopwatch.GetElapsedTime(_start);
        if (_settings.OnProgress is null || elapsed - _lastReport < _settings.ProgressInterval)
            return;
        _lastReport = elapsed;
        _settings.OnProgress(Kept.Rows + HeldOut.Rows, elapsed);
    }

    private sealed class Group(long firstPosition)
    {
        public long FirstPosition => firstPosition;

        public List<RowContent> Rows { get; } = [];

        public long Chars { get; private set; }

        public void Add(RowContent row)
        {
            Rows.Add(row);
            Chars += row.Size;
        }
    }

    private sealed record EncodedGroup(EncodedRows Kept, EncodedRows HeldOut) : IDisposable
    {
        public void Dispose()
        {
            Kept.Dispose();
            HeldOut.Dispose();
        }
    }
}
