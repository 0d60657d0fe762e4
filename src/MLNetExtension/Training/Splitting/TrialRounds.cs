namespace MLNetExtension.Training.Splitting;

/// <summary>Plans that are tried in turn: in a round each has one step, so that a machine that drifts does so for all of them, and the first also one that does not count.</summary>
internal sealed class TrialRounds
{
    private readonly List<Candidate> _tried = [], _candidates = [];    // all, and those that still have steps
    private readonly Queue<Candidate> _round = [];

    /// <summary>The plans that have steps.</summary>
    public IReadOnlyList<Candidate> Candidates => _candidates;

    /// <summary>All that had a step that counts.</summary>
    public IEnumerable<Candidate> Measured => _tried.Where(candidate => candidate.Trials > 0);

    /// <summary>How many plans were tried.</summary>
    public int Tried => _tried.Count;

    /// <summary>How many rounds have ended.</summary>
    public int Count { get; private set; }

    /// <summary>How many steps were taken.</summary>
    public int Steps { get; private set; }

    /// <summary>The fastest plan that has steps.</summary>
    public Candidate Fastest => _candidates.MinBy(Time)!;

    /// <summary>The plan of the next step; null where the round has ended.</summary>
    public Candidate? Next => _round.TryPeek(out Candidate? next) ? next : null;

    /// <summary>Adds plans that were not tried yet, from the next round on.</summary>
    /// <param name="plans">The plans.</param>
    /// <param name="generation">How many doublings came before them.</param>
    /// <returns>Whether there were any.</returns>
    public bool Add(IEnumerable<SplitPlan> plans, int generation)
    {
        int before = _tried.Count;
        foreach (SplitPlan plan in plans.Where(plan => !Knows(plan)))
        {
            _tried.Add(new Candidate(plan, generation));
            _candidates.Add(_tried[^1]);
        }
        return _tried.Count > before;
    }

    /// <summary>Whether a plan was added before.</summary>
    /// <param name="plan">The plan.</param>
    public bool Knows(SplitPlan plan) => _tried.Any(candidate => candidate.Plan == plan);

    /// <summary>Gives no more steps to plans.</summary>
    /// <param name="isOut">Which.</param>
    public void Drop(Func<Candidate, bool> isOut)
    {
        Candidate[] left = [.. _round.Where(candidate => !isOut(candidate))];
        _candidates.RemoveAll(candidate => isOut(candidate));
        _round.Clear();
        Array.ForEach(left, _round.Enqueue);
    }

    /// <summary>Starts a round of all plans.</summary>
    public void Start() => _candidates.ForEach(_round.Enqueue);

    /// <summary>Takes in the step of <see cref="Next"/>.</summary>
    /// <param name="cost">Its cost.</param>
    public void Record(StepCost cost)
    {
        Steps++;
        Candidate current = _round.Peek();
        current.Record(Count, cost.Seconds, cost.Positions);
        if (current.Trials > 0)
            _round.Dequeue();
    }

    /// <summary>Ends a round.</summary>
    public void End() => Count++;

    /// <summary>The time of a plan by the same rounds for all, as soon as the last that was added has enough of them, in seconds per position.</summary>
    /// <param name="candidate">The plan.</param>
    public double Time(Candidate candidate) => candidate.TimeOf(Math.Max(PlanSearch.EnoughTrials, _candidates.Min(other => other.Trials)));

    /// <summary>Bounds an estimate by what it was in each round that a plan had, where drift is the same for all times in it.</summary>
    /// <param name="candidate">The plan, on whose time the estimate depends.</param>
    /// <param name="estimate">The estimate.</param>
    /// <param name="deviations">How certain the bounds are, in standard deviations.</param>
    public static Bounds Compare(Candidate candidate, Estimate estimate, double deviations) =>
        Bounds.OfMiddle(candidate.Rounds.Select(round => estimate(other => other.TimeIn(round))), deviations);
}
