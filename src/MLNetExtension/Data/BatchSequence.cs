namespace MLNetExtension.Data;

/// <summary>The examples of one optimizer step.</summary>
/// <param name="Step">The step, from 0.</param>
/// <param name="Epoch">The pass over all examples, from 0.</param>
/// <param name="Examples">At least one example.</param>
internal sealed record Batch(int Step, int Epoch, IReadOnlyList<TokenExample> Examples)
{
    /// <summary>Its target tokens, whatever the weights of the examples above 0.</summary>
    public long TargetTokens { get; init; } = Examples.Where(example => example.HasTargets).Sum(example => (long)example.TargetCount);

    /// <summary>Mean of the column that the order of rows follows; null where it follows none.</summary>
    public double? OrderValue { get; init; }
}

/// <summary>The batches of a training, epoch after epoch without end: a pure function of seed and step, so that a training can resume at any step.</summary>
/// <param name="examples">The examples, at least one.</param>
/// <param name="division">How an epoch is divided into batches.</param>
/// <param name="sampler">The order of the examples in each epoch.</param>
/// <param name="together">How many examples in a row belong together, as those of a pair do: what is said of examples is then said of such groups. Default 1.</param>
internal sealed class BatchSequence(IReadOnlyList<TokenExample> examples, EpochDivision division, EpochSampler sampler, int together = 1)
{
    /// <summary>Batches of an epoch.</summary>
    public int StepsPerEpoch => division.Count;

    /// <summary>Lists the batches from a step on. While one is in use, the next is made and loaded on another thread; what fails there is thrown when that batch is asked for.</summary>
    /// <param name="firstStep">The step, from 0.</param>
    /// <param name="load">Reads what will be needed of a batch. Default: all of its examples.</param>
    public IEnumerable<Batch> StartAt(int firstStep, Action<Batch>? load = null)
    {
        using IEnumerator<Batch> batches = List(firstStep).GetEnumerator();
        Task<Batch> next = Task.Run(MakeNext);
        try
        {
            while (true)
            {
                Batch batch = next.GetAwaiter().GetResult();
                next = Task.Run(MakeNext);
                yield return batch;
            }
        }
        finally
        {
            Task.WhenAny(next).Wait();    // nothing runs on, and a batch that nobody asked for may fail
            load = null;    // a thread of the pool may hold its last task for long, and by it a whole training
        }

        Batch MakeNext()
        {
            batches.MoveNext();    // there is always another
            (load ?? LoadAll)(batches.Current);
            return batches.Current;
        }
    }

    private static void LoadAll(Batch batch)
    {
        foreach (TokenExample example in batch.Examples)
            example.Load();
    }

    private IEnumerable<Batch> List(int firstStep)
    {
        int step = firstStep;
        for (int epoch = firstStep / StepsPerEpoch; ; epoch++)
        {
            int stepsBefore = step - epoch * StepsPerEpoch;
            foreach (int[] rows in division.Divide(sampler.Order(epoch)).Skip(stepsBefore))
                yield return new Batch(step++, epoch, [.. rows.SelectMany(row => Enumerable.Range(row * together, together)).Select(row => examples[row])]) { OrderValue = sampler.MeanValue(rows) };
        }
    }
}
