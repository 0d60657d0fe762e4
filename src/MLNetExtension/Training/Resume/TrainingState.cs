using static TorchSharp.torch;

namespace MLNetExtension.Training.Resume;

/// <summary>
/// How far a training run has come, in memory: steps taken, time spent and the optimizer's moments; the weights are in the model. With the same model, examples, options and seed,
/// training resumes from it in the middle of an epoch, because the order of the rows, the schedule and dropout are functions of seed and step.
/// </summary>
/// <remarks>
/// Pass a new state to <see cref="TrainingLoop.Run"/>; when that returns, is canceled or throws, the state holds where it stood. Pass it again to resume. A resumed run equals an uninterrupted one
/// bit for bit only where <see cref="BatchingOptions.MaximumTokensPerMicroBatch"/> is set and steps or epochs, not time, are its limit.
/// </remarks>
internal sealed class TrainingState : IDisposable
{
    /// <summary>Optimizer steps taken, those without an update included.</summary>
    public int Steps { get; internal set; }

    /// <summary>Time spent training.</summary>
    public TimeSpan Elapsed { get; internal set; }

    /// <summary>Target tokens trained on.</summary>
    public long TargetTokens { get; internal set; }

    /// <summary>Updates of the weights, which AdamW counts.</summary>
    internal int Updates { get; private set; }

    /// <summary>AdamW's first and second moments, each [P] on the CPU; null before the first step.</summary>
    internal (Tensor First, Tensor Second)? Moments { get; private set; }

    /// <summary>The best evaluation so far, and its weights.</summary>
    internal BestWeights Best { get; } = new();

    /// <summary>Keeps a copy of the optimizer's state.</summary>
    internal void Keep(int updates, Tensor first, Tensor second)
    {
        using var scope = NewDisposeScope();
        DisposeMoments();
        Updates = updates;
        Moments = (first.cpu().clone().DetachFromDisposeScope(), second.cpu().clone().DetachFromDisposeScope());
    }

    /// <summary>Frees the optimizer's moments and the best weights.</summary>
    public void Dispose()
    {
        DisposeMoments();
        Best.Dispose();
    }

    private void DisposeMoments()
    {
        Moments?.First.Dispose();
        Moments?.Second.Dispose();
        Moments = null;
    }
}
