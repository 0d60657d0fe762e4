namespace MLNetExtension.Models;

/// <summary>Counts the calls that use a network, so that closing it while they run is safe: they finish, later ones are refused, and whoever leaves last frees the network.</summary>
/// <remarks>Closing never waits, so a call may close the network that it uses, and an enumerator that nobody finishes keeps nothing alive.</remarks>
/// <param name="free">Frees the network.</param>
internal sealed class NetworkLifetime(Action free)
{
    private readonly Lock _lock = new();
    private int _calls;
    private bool _closed;

    /// <summary>Begins a call; dispose of what it returns, once, when the call no longer needs the network.</summary>
    /// <exception cref="ObjectDisposedException">The network is closed.</exception>
    public Call Use()
    {
        lock (_lock)
        {
            ThrowIfClosed();
            _calls++;
        }
        return new Call(this);
    }

    /// <exception cref="ObjectDisposedException">The network is closed.</exception>
    public void ThrowIfClosed()
    {
        if (Volatile.Read(ref _closed))
            throw new ObjectDisposedException("CausalLanguageModelTransformer", "The causal language model has been disposed; a prediction engine disposes the model it was made with.");
    }

    /// <summary>Refuses later calls and frees the network, at once or when the last call ends. Closing again has no effect.</summary>
    public void Close()
    {
        lock (_lock)
        {
            if (_closed)
                return;
            _closed = true;
            if (_calls > 0)
                return;
        }
        free();
    }

    private void End()
    {
        lock (_lock)
        {
            if (--_calls > 0 || !_closed)
                return;
        }
        free();
    }

    /// <summary>A call that uses the network.</summary>
    internal readonly struct Call(NetworkLifetime lifetime) : IDisposable
    {
        /// <summary>Ends the call.</summary>
        public void Dispose() => lifetime.End();
    }
}
