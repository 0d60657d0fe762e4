using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>A cursor with a position of its own: it counts rows, and disposes of itself after the last.</summary>
internal abstract class RootCursorBase(IChannelProvider provider) : DataViewRowCursor
{
    protected readonly IChannel Ch = provider.Start("Cursor");
    private long _position = -1;
    private bool _disposed;
    public sealed override long Position => _position;
    protected bool IsGood => _position >= 0;

    public sealed override bool MoveNext()
    {
        if (_disposed)
            return false;
        if (MoveNextCore())
        {
            _position++;
            return true;
        }
        Dispose();
        return false;
    }

    protected abstract bool MoveNextCore();

    protected override void Dispose(bool disposing)
    {
        if (_disposed)
            return;
        if (disposing)
        {
            Ch.Dispose();
            _position = -1;
        }
        _disposed = true;
    }
}

/// <summary>A cursor over some of its input's rows, or over them in another order.</summary>
internal abstract class LinkedRootCursorBase(IChannelProvider provider, DataViewRowCursor input) : RootCursorBase(provider)
{
    protected DataViewRowCursor Input { get; } = input;

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Input.Dispose();
        base.Dispose(disposing);
    }
}

/// <summary>A cursor that is at the row its input is at.</summary>
internal abstract class SynchronizedCursorBase(IChannelProvider provider, DataViewRowCursor input) : DataViewRowCursor
{
    protected readonly IChannel Ch = provider.Start("Cursor");
    private bool _disposed;
    public sealed override long Position => Input.Position;
    public sealed override long Batch => Input.Batch;
    protected DataViewRowCursor Input { get; } = input;
    protected bool IsGood => Position >= 0;
    public sealed override bool MoveNext() => Input.MoveNext();
    public sealed override ValueGetter<DataViewRowId> GetIdGetter() => Input.GetIdGetter();

    protected override void Dispose(bool disposing)
    {
        if (_disposed)
            return;
        _disposed = true;
        if (disposing)
        {
            Input.Dispose();
            Ch.Dispose();
        }
    }
}

/// <summary>A row made from another, which it owns: what is its own goes first.</summary>
internal abstract class WrappingRow(DataViewRow input) : DataViewRow
{
    private bool _disposed;
    public sealed override long Batch => Input.Batch;
    public sealed override long Position => Input.Position;
    protected DataViewRow Input { get; } = input;
    public override ValueGetter<DataViewRowId> GetIdGetter() => Input.GetIdGetter();

    protected virtual void DisposeCore(bool disposing)
    {
    }

    protected sealed override void Dispose(bool disposing)
    {
        if (_disposed)
            return;
        _disposed = true;
        DisposeCore(disposing);
        if (disposing)
            Input.Dispose();
    }
}
