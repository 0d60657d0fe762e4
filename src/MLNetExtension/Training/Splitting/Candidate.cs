namespace MLNetExtension.Training.Splitting;

/// <summary>A plan under trial, and how long its last steps took.</summary>
/// <param name="plan">The plan.</param>
/// <param name="generation">How many doublings came before it.</param>
internal sealed class Candidate(SplitPlan plan, int generation)
{
    private const int MostTrials = 56;
    private readonly Queue<(int Round, double Seconds, double PerPosition)> _trials = [];

    /// <summary>The plan.</summary>
    public SplitPlan Plan => plan;

    /// <summary>How many doublings came before it.</summary>
    public int Generation => generation;

    /// <summary>How many steps count. The first does not: it also pays for new memory.</summary>
    public int Trials => _trials.Count;

    /// <summary>Whether there are as many as count: more would replace the first.</summary>
    public bool IsFull => Trials == MostTrials;

    /// <summary>The rounds of the steps that count.</summary>
    public IEnumerable<int> Rounds => _trials.Select(trial => trial.Round);

    /// <summary>The time of the fastest step, the first included, in seconds per position.</summary>
    public double Fastest { get; private set; } = double.PositiveInfinity;

    /// <summary>Whether there were enough trials, which also took some time together: what else a machine does weighs on a short step more than on a long one.</summary>
    /// <param name="enough">The fewest trials, and what they take together, unless there are as many as count.</param>
    public bool Has((int Trials, double Seconds) enough) => Trials >= enough.Trials && (IsFull || _trials.Sum(trial => trial.Seconds) >= enough.Seconds);

    /// <summary>Takes in a step.</summary>
    /// <param name="round">The number of its round.</param>
    /// <param name="seconds">Its time.</param>
    /// <param name="positions">Positions of its rows.</param>
    public void Record(int round, double seconds, long positions)
    {
        double time = seconds / positions;
        if (double.IsFinite(Fastest))
            _trials.Enqueue((round, seconds, time));
        if (_trials.Count > MostTrials)
            _trials.Dequeue();
        Fastest = Math.Min(Fastest, time);
    }

    /// <summary>The median of the time of the last trials, in seconds per position.</summary>
    /// <param name="trials">How many, if there are as many.</param>
    public double TimeOf(int trials)
    {
        double[] times = [.. _trials.TakeLast(trials).Select(trial => trial.PerPosition).Order()];
        return times[times.Length / 2];
    }

    /// <summary>The time of the trial of a round, in seconds per position; NaN where there was none.</summary>
    /// <param name="round">The number of the round.</param>
    public double TimeIn(int round) => _trials.Where(trial => trial.Round == round).Select(trial => trial.PerPosition).DefaultIfEmpty(double.NaN).First();
}
