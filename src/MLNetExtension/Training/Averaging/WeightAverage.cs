using MLNetExtension.Training.Accumulation;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Averaging;

/// <summary>
/// The average of a training's weights. What accumulates: the weights of each step that was applied, once a finite loss was computed with them, and not before, so that weights which are taken back never enter.
/// P trained parameters.
/// </summary>
/// <param name="averaging">Which average; null for none.</param>
/// <param name="parameters">The weights.</param>
/// <param name="weights">Knows whether they are good.</param>
internal sealed class WeightAverage(WeightAveraging? averaging, FlatParameters parameters, GoodWeights weights) : IDisposable
{
    // Weights that change places at a time.
    private const long PieceLength = 1 << 20;

    private Update? _waiting;    // applied, and not known to be good yet

    /// <summary>The average, [P] as the weights; null where there is none yet.</summary>
    public Tensor? Values { get; private set; }

    /// <summary>Steps whose weights have been taken.</summary>
    public int Count { get; private set; }

    /// <summary>The last of them; 0 before the first.</summary>
    public int LastStep { get; private set; }

    /// <summary>Whether the average is what is measured, and what the trained model gets.</summary>
    public bool IsUsed => averaging is { UseInModel: true } && Values is not null;

    /// <summary>Begins with the present weights, where the average does and has not been resumed.</summary>
    public void Start()
    {
        if (Values is null && averaging is { BeginsWithFirstWeights: true })
            Values = Copy();
    }

    /// <summary>Resumes from what a checkpoint holds.</summary>
    /// <param name="count">Steps whose weights have been taken.</param>
    /// <param name="lastStep">The last of them.</param>
    /// <param name="values">The average, [P], which now belongs to this object.</param>
    public void Resume(int count, int lastStep, Tensor values) => (Count, LastStep, Values) = (count, lastStep, values.DetachFromDisposeScope());

    /// <summary>Takes an update into account, whose weights wait until they are known to be good.</summary>
    /// <param name="step">Its step, from 1.</param>
    /// <param name="before">Share of the training that was done before it.</param>
    /// <param name="after">And after it.</param>
    public void Follow(int step, double before, double after) => _waiting = new Update(step, before, after);

    /// <summary>Takes the present weights, unless it has: a finite loss has been computed with them.</summary>
    public void Take()
    {
        if (averaging is null || _waiting is not var (step, before, after))
            return;
        _waiting = null;
        // What comes before the first step that counts is of a training that was extended since.
        if (averaging.IsTooEarly(before))
            Forget();
        if (averaging.IsTooEarly(after) || !averaging.Takes(Count == 0 ? null : step - LastStep))
            return;
        if (Values is null)
            Values = Copy();
        else
            Add(averaging.ShareOfNext(Count));
        (Count, LastStep) = (Count + 1, step);
    }

    /// <summary>Takes the present weights if they are good, which costs the loss of a micro-batch where nothing has shown it yet. Collective.</summary>
    public void TakeIfGood()
    {
        if (averaging is not null && _waiting is not null && !weights.AreTakenBack && weights.AreGood())
            Take();
    }

    /// <summary>Gives the model the average for as long as the result is not disposed, where it is what is measured; training must not go on meanwhile.</summary>
    public IDisposable? Show()
    {
        if (!IsUsed)
            return null;
        Exchange();
        return new Shown(Exchange);
    }

    /// <summary>Gives the model the average for good, where it is to have it. Collective.</summary>
    public void GiveToModel()
    {
        TakeIfGood();
        if (!IsUsed)
            return;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        parameters.Values.copy_(Values!);
        parameters.PublishValues();
    }

    /// <summary>Frees the average.</summary>
    public void Dispose() => Values?.Dispose();

    // (1 - share) A + share W, in place.
    private void Add(double share)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Values!.lerp_(parameters.Values, share);
    }

    private void Forget()
    {
        Values?.Dispose();
        (Values, Count, LastStep) = (null, 0, 0);
    }

    private Tensor Copy()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return parameters.Values.clone().DetachFromDisposeScope();
    }

    // In pieces, so that it takes no third copy; twice, it changes no bit.
    private void Exchange()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        for (long start = 0; start < parameters.Length; start += PieceLength)
        {
            using var piece = NewDisposeScope();
            long length = Math.Min(PieceLength, parameters.Length - start);
            Tensor own = parameters.Values.narrow(0, start, length), average = Values!.narrow(0, start, length), kept = own.clone();
            own.copy_(average);
            average.copy_(kept);
        }
        parameters.PublishValues();
    }

    private readonly record struct Update(int Step, double Before, double After);

    private sealed class Shown(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
