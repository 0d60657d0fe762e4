namespace MLNetExtension.Training.Splitting;

/// <summary>A plan under trial, and how long its last steps took.</summary>
/// <param name="plan">The plan.</param>
/// <param name="generation">How many doublings came before it.</param>
internal sealed class Candidate(SplitPlan plan, int generation)
{
    private const int MostTimes = 7;
    private readonly Queue<double> _times = [];

    /// <summary>The plan.</summary>
    public SplitPlan Plan => plan;

    /// <summary>How many doublings came before it.</summary>
    public int Generation => generation;

    /// <summary>How many steps count, at most 7. The first does not: it also pays for new memory.</summary>
    public int Trials => _times.Count;

    /// <summary>The time of the fastest step, the first included, in seconds per position.</summary>
    public double Fastest { get; private set; } = double.PositiveInfinity;

    /// <summary>The median of the time of the last trials, in seconds per position.</summary>
    public double Time => _times.Order().ElementAt(_times.Count / 2);

    /// <summary>Takes in a step.</summary>
    /// <param name="time">Seconds per position.</param>
    public void Record(double time)
    {
        if (double.IsFinite(Fastest))
            _times.Enqueue(time);
        if (_times.Count > MostTimes)
            _times.Dequeue();
        Fastest = Math.Min(Fastest, time);
    }
}
