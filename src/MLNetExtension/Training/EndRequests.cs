using System.Runtime.ExceptionServices;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.Training;

/// <summary>The two ways in which a caller ends a training early: to cancel is to throw, to stop is to end in order. What is asked of one rank, all do together.</summary>
/// <param name="cancel">Cancels the training.</param>
/// <param name="stop">Stops the training.</param>
/// <param name="ranks">The ranks that train together. Default: this process alone.</param>
internal sealed class EndRequests(CancellationToken cancel, CancellationToken stop, IRankGroup? ranks = null) : IDisposable
{
    private readonly CancellationTokenSource _either = CancellationTokenSource.CreateLinkedTokenSource(cancel, stop);
    private readonly IRankGroup _ranks = ranks ?? SingleRank.Instance;
    private bool _stopIsAgreed;

    /// <summary>Requested when the training is to be cancelled.</summary>
    public CancellationToken Cancel => cancel;

    /// <summary>Whether the training is to stop. Among several ranks: as of their last agreement, so that each of them sees the same.</summary>
    public bool StopIsRequested => _ranks.Size == 1 ? stop.IsCancellationRequested : _stopIsAgreed;

    /// <summary>Tells the ranks of requests to stop, and the time. Collective.</summary>
    /// <param name="elapsed">Time spent training, by this rank's clock.</param>
    /// <returns>The time by the first rank's clock, which counts for all.</returns>
    public TimeSpan Agree(TimeSpan elapsed)
    {
        if (_ranks.Size == 1)
            return elapsed;
        double[][] said = _ranks.Gather(elapsed.Ticks, stop.IsCancellationRequested ? 1 : 0);
        _stopIsAgreed |= said.Any(one => one[1] != 0);
        return new TimeSpan((long)said[0][0]);
    }

    /// <summary>Does something that either request interrupts, on all ranks. Collective; the work itself is not.</summary>
    /// <param name="work">Looks at its token about once a micro-batch.</param>
    /// <returns>Whether it was done; false where the training is to stop.</returns>
    /// <exception cref="OperationCanceledException">The training is to be cancelled.</exception>
    public bool TryRun(Action<CancellationToken> work)
    {
        if (_ranks.Size == 1)
            cancel.ThrowIfCancellationRequested();
        if (StopIsRequested)
            return false;
        try
        {
            _ranks.RunTogether(() =>
            {
                cancel.ThrowIfCancellationRequested();
                work(_either.Token);
            });
            return true;
        }
        catch (OperationCanceledException exception)
        {
            return Explain(exception);
        }
    }

    /// <summary>Lets go of the caller's tokens.</summary>
    public void Dispose() => _either.Dispose();

    // Every rank was interrupted, by whose request it may be.
    private bool Explain(OperationCanceledException exception)
    {
        double[] asked = _ranks.SumNumbers(cancel.IsCancellationRequested ? 1 : 0, stop.IsCancellationRequested ? 1 : 0);
        if (asked[0] != 0)
            throw new OperationCanceledException(exception.Message, exception, cancel);
        if (asked[1] == 0)
            ExceptionDispatchInfo.Throw(exception);
        _stopIsAgreed = true;
        return false;
    }
}
