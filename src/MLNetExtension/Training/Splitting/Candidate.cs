namespace MLNetExtension.Training.Splitting;

/// <summary>A plan under trial, and how long its last steps took.</summary>
/// <param name="plan">The plan.</param>
/// <param name="generation">How many doublings came before it.</param>
internal sealed class Candidate(SplitPlan plan, int generation)
{
    /// <summary>How many of its last trials count.</summary>
    public const int MostTrials = 96;

    private readonly List<(double Seconds, double PerPosition)> _trials = [];

    /// <summary>The plan.</summary>
    public SplitPlan Plan => plan;

    /// <summary>How many doublings came before it.</summary>
    public int Generation => generation;

    /// <summary>How many steps count. The first does not: it also pays for new memory.</summary>
    public int Trials => _trials.Count;

    /// <summary>The time of the fastest step, the first included, in seconds per position.</summary>
    public double Fastest { get; private set; } = double.PositiveInfinity;

    /// <summary>Whether there were enough trials.</summary>
    /// <param name="enough">What is enough.</param>
    public bool Has(Effort enough) => Trials >= enough.Trials && (Trials >= enough.MostTrials || _trials.Sum(trial => trial.Seconds) >= enough.Seconds);

    /// <summary>Takes in a step.</summary>
    /// <param name="seconds">Its time.</param>
    /// <param name="positions">Positions of its rows.</param>
    public void Record(double seconds, long positions)
    {
        double time = seconds / positions;
        if (double.IsFinite(Fastest))
            _trials.Add((seconds, time));
        if (_trials.Count > MostTrials)
            _trials.RemoveAt(0);
        Fastest = Math.Min(Fastest, time);
    }

    /// <summary>The time of the trial so many rounds ago, in seconds per position; where it has not had so many, or none of late, of the median of all.</summary>
    /// <param name="rounds">0 for the last round.</param>
    /// <param name="isTried">Whether it still has a trial in every round.</param>
    public double TimeAgo(int rounds, bool isTried) => isTried && rounds < Trials ? _trials[^(rounds + 1)].PerPosition : TimeOf(Trials);

    /// <summary>The median of the time of the last trials, in seconds per position.</summary>
    /// <param name="trials">How many, if there are as many.</param>
    public double TimeOf(int trials)
    {
        double[] times = [.. _trials.TakeLast(trials).Select(trial => trial.PerPosition).Order()];
        return times[times.Length / 2];
    }
}

/// <summary>What trials of a plan tell enough.</summary>
/// <param name="Trials">The fewest trials.</param>
/// <param name="Seconds">What they take together: what else a machine does weighs on a short step more than on a long one.</param>
/// <param name="MostTrials">So many are enough however short.</param>
internal readonly record struct Effort(int Trials, double Seconds, int MostTrials = 64);
