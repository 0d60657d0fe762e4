using static TorchSharp.torch;

namespace MLNetExtension.Training.Resume;

/// <summary>
/// Where a training stands, beside the weights, which are in the model: steps taken, time spent and the optimizer's running means. The order of rows, the schedule and dropout are
/// functions of seed and step, so nothing more is needed to go on in the middle of an epoch as if nothing had happened, bit for bit.
/// </summary>
/// <remarks>
/// Give a new state to <see cref="TrainingLoop.Run"/>; when that ends, by itself, by cancellation or by an exception, the state says where it stood. Given again with the same model,
/// examples, options and seed, training goes on from there. A run is repeated bit for bit only where <see cref="TrainingOptions.MaximumTokensPerMicroBatch"/> is set and steps or epochs, not time, are its limit.
/// </remarks>
internal sealed class TrainingState : IDisposable
{
    /// <summary>Optimizer steps taken, those without an update included.</summary>
    public int Steps { get; internal set; }

    /// <summary>Time spent training.</summary>
    public TimeSpan Elapsed { get; internal set; }

    /// <summary>Target tokens seen.</summary>
    public long TargetTokens { get; internal set; }

    /// <summary>Updates of the weights, which AdamW counts.</summary>
    internal int Updates { get; private set; }

    /// <summary>AdamW's running means of the gradient and of its square, each [P] on the CPU; null before the first step.</summary>
    internal (Tensor First, Tensor Second)? Moments { get; private set; }

    /// <summary>What validation has found so far.</summary>
    internal BestWeights Best { get; } = new();

    /// <summary>Keeps the optimizer's state.</summary>
    internal void Keep(int updates, Tensor first, Tensor second)
    {
        using var scope = NewDisposeScope();
        DisposeMoments();
        Updates = updates;
        Moments = (first.cpu().clone().DetachFromDisposeScope(), second.cpu().clone().DetachFromDisposeScope());
    }

    /// <summary>Frees the optimizer's running means and the best weights.</summary>
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
