namespace MLNetExtension.Training;

/// <summary>The two ways in which a caller ends a training early: to cancel is to throw, to stop is to end in order.</summary>
/// <param name="cancel">Cancels the training.</param>
/// <param name="stop">Stops the training.</param>
internal sealed class EndRequests(CancellationToken cancel, CancellationToken stop) : IDisposable
{
    private readonly CancellationTokenSource _either = CancellationTokenSource.CreateLinkedTokenSource(cancel, stop);

    /// <summary>Requested when the training is to be cancelled.</summary>
    public CancellationToken Cancel => cancel;

    /// <summary>Whether the training is to stop.</summary>
    public bool StopIsRequested => stop.IsCancellationRequested;

    /// <summary>Does something that either request interrupts.</summary>
    /// <param name="work">Looks at its token about once a micro-batch.</param>
    /// <returns>Whether it was done; false where the training is to stop.</returns>
    /// <exception cref="OperationCanceledException">The training is to be cancelled.</exception>
    public bool TryRun(Action<CancellationToken> work)
    {
        cancel.ThrowIfCancellationRequested();
        if (StopIsRequested)
            return false;
        try
        {
            work(_either.Token);
            return true;
        }
        catch (OperationCanceledException) when (_either.IsCancellationRequested)
        {
            cancel.ThrowIfCancellationRequested();
            return false;
        }
    }

    /// <summary>Lets go of the caller's tokens.</summary>
    public void Dispose() => _either.Dispose();
}
