namespace MLNetExtension.Training.Splitting;

/// <summary>Predicts the memory that a training takes with a plan: a + b * positions in flight, and a gradient buffer for every worker but the first. Two small plans tell a and b; larger ones correct them.</summary>
/// <param name="bufferMiB">Memory of a gradient buffer.</param>
internal sealed class FootprintLine(double bufferMiB)
{
    // More positions than were measured may take more than their share by this.
    private const double Margin = 1.1;

    // Of the fewest and of the most positions in flight, without the buffers of workers.
    private (double Positions, double MiB) _least, _most;

    // As long as there is nothing to tell a from b, a is what is there for certain: a gradient and the optimizer's two moments.
    private double MiBPerPosition => _most.Positions < FreeOfNoise * _least.Positions
        ? Math.Max(0, _most.MiB - 3 * bufferMiB) / _most.Positions
        : Math.Max(0, (_most.MiB - _least.MiB) / (_most.Positions - _least.Positions));

    private const double FreeOfNoise = 1.2;

    /// <summary>Takes in what a step took.</summary>
    /// <param name="plan">Its plan.</param>
    /// <param name="batch">Positions of its batch in a single micro-batch, and of its longest row.</param>
    /// <param name="footprintMiB">The memory; NaN where it cannot be known: then positions stand for it.</param>
    public void Learn(SplitPlan plan, (long Whole, int Longest) batch, double footprintMiB)
    {
        double positions = CountInFlight(plan, batch), mib = double.IsNaN(footprintMiB) ? positions : footprintMiB - (plan.Workers - 1) * bufferMiB;
        // A plan of fewer positions than an earlier one seems to take as much: memory that was in use once stays with the process.
        if (positions < _most.Positions)
            return;
        bool isLeast = _least.Positions == _most.Positions && positions < FreeOfNoise * _least.Positions;
        _most = (positions, Math.Max(mib, _most.MiB));
        if (isLeast || _least.Positions == 0)
            _least = _most;
    }

    /// <summary>Predicts the memory of a plan, in MiB.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="batch">Positions of a batch in a single micro-batch, and of its longest row.</param>
    public double Predict(SplitPlan plan, (long Whole, int Longest) batch)
    {
        double more = CountInFlight(plan, batch) - _most.Positions;
        return Math.Max(1, _most.MiB + MiBPerPosition * more * (more > 0 ? Margin : 1) + (plan.Workers - 1) * bufferMiB);
    }

    private static double CountInFlight(SplitPlan plan, (long Whole, int Longest) batch) => Math.Min(batch.Whole, (double)plan.Workers * Math.Max(plan.Tokens, batch.Longest));
}
