namespace MLNetExtension.Training.Splitting;

/// <summary>What memory plans need, what they have had, and what there is.</summary>
/// <param name="bufferMiB">Memory of a gradient buffer.</param>
internal sealed class MemoryForecast(double bufferMiB)
{
    private readonly FootprintLine _footprint = new(bufferMiB);
    private readonly HashSet<SplitPlan> _used = [];

    /// <summary>Positions of the largest batch so far in a single micro-batch, and of the longest row.</summary>
    public (long Whole, int Longest) LargestBatch { get; private set; }

    /// <summary>The most there may be, in MiB; infinite for no limit.</summary>
    public double LimitMiB { get; set; }

    /// <summary>The most that a plan needs that had a step, in MiB: it stays with the process.</summary>
    public double UsedMiB => _used.Select(Predict).DefaultIfEmpty(0).Max();

    /// <summary>Takes in what is to be computed next.</summary>
    /// <param name="batch">Positions of the batch in a single micro-batch, and of its longest row.</param>
    public void Expect((long Whole, int Longest) batch) => LargestBatch = (Math.Max(LargestBatch.Whole, batch.Whole), Math.Max(LargestBatch.Longest, batch.Longest));

    /// <summary>Takes in what a step took.</summary>
    /// <param name="plan">Its plan.</param>
    /// <param name="batch">Positions of its batch in a single micro-batch, and of its longest row.</param>
    /// <param name="footprintMiB">The memory, in MiB; NaN where it cannot be known.</param>
    public void Learn(SplitPlan plan, (long Whole, int Longest) batch, double footprintMiB)
    {
        _used.Add(plan);
        _footprint.Learn(plan, batch, footprintMiB);
    }

    /// <summary>Forgets which plans had a step: memory has run out.</summary>
    public void Forget() => _used.Clear();

    /// <summary>Predicts the memory of a plan for the largest batch, in MiB.</summary>
    /// <param name="plan">The plan.</param>
    public double Predict(SplitPlan plan) => _footprint.Predict(plan, LargestBatch);

    /// <summary>Whether a batch fits into memory.</summary>
    /// <param name="plan">By which plan.</param>
    /// <param name="batch">Positions of the batch in a single micro-batch, and of its longest row.</param>
    public bool Fits(SplitPlan plan, (long Whole, int Longest) batch) => _footprint.Predict(plan, batch) <= LimitMiB;
}
