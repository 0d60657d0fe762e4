using MLNetExtension.Training.Accumulation;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>The weights with the lowest validation loss so far, and when that was measured. P trained parameters.</summary>
internal sealed class BestWeights : IDisposable
{
    /// <summary>The lowest validation loss, in nats per target token; positive infinity before the first that is a number.</summary>
    public double Loss { get; private set; } = double.PositiveInfinity;

    /// <summary>The step after which it was measured.</summary>
    public int Step { get; private set; }

    /// <summary>The step after which the loss was last measured; -1 before the first evaluation.</summary>
    public int LastStep { get; private set; } = -1;

    /// <summary>Evaluations since the best.</summary>
    public int WithoutImprovement { get; private set; }

    /// <summary>Whether they are an average.</summary>
    public bool AreAveraged { get; private set; }

    /// <summary>The weights of that step, [P] on the CPU: a copy that the next better weights overwrite.</summary>
    public Tensor? Values { get; private set; }

    /// <summary>Compares an evaluation with the best and keeps a copy of its weights where they are better; a loss that is not a number is no improvement.</summary>
    /// <param name="loss">In nats per target token.</param>
    /// <param name="step">The step after which it was measured.</param>
    /// <param name="values">The weights of that step, [P].</param>
    /// <param name="areAveraged">Whether they are an average. Default false.</param>
    public void Offer(double loss, int step, Tensor values, bool areAveraged = false)
    {
        LastStep = step;
        if (!(loss < Loss))
        {
            WithoutImprovement++;
            return;
        }
        (Loss, Step, AreAveraged, WithoutImprovement) = (loss, step, areAveraged, 0);
        Keep(values);
    }

    /// <summary>Copies the best weights back into the model, unless it has them.</summary>
    /// <param name="parameters">The flat parameters of the model.</param>
    /// <param name="step">The step whose weights the model has; null where it has those of no step, or others are to replace them.</param>
    public void Restore(FlatParameters parameters, int? step)
    {
        if (Values is null || Step == step)
            return;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        parameters.Values.copy_(Values);
        parameters.PublishValues();
    }

    /// <summary>Resumes from what a checkpoint holds.</summary>
    public void Resume(double loss, int step, int lastStep, int withoutImprovement, Tensor? values, bool areAveraged = false)
    {
        (Loss, Step, LastStep, WithoutImprovement, AreAveraged) = (loss, step, lastStep, withoutImprovement, areAveraged);
        if (values is not null)
            Keep(values);
    }

    /// <summary>Frees the weights.</summary>
    public void Dispose()
    {
        Values?.Dispose();
        Values = null;
    }

    private void Keep(Tensor values)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Values ??= empty(values.shape, dtype: values.dtype, device: CPU).DetachFromDisposeScope();
        Values.copy_(values);
    }
}
