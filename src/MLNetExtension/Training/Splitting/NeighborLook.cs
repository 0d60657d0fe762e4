namespace MLNetExtension.Training.Splitting;

/// <summary>
/// Compares the plan that was chosen with its neighbors, in a few rounds and in the memory that the training has had: those of half and of twice the tokens or workers, and those of as many tokens in flight.
/// Unless one of them is better for certain, the plan stays.
/// </summary>
internal sealed class NeighborLook : IPlanTrials
{
    // A neighbor is better that was so in 9 of 12 rounds (of two equal plans, each is in 7 of 100 looks), and out as soon as it cannot be.
    private const int MostRounds = 12, MostLost = 3;

    // By what it has to be faster in about the same memory: a new search takes time, too.
    private const double Better = 1.05;

    private readonly MemoryForecast _memory;
    private readonly Candidate _chosen;

    /// <summary>Starts to compare.</summary>
    /// <param name="chosen">The plan that was chosen.</param>
    /// <param name="smallest">The fewest tokens and workers.</param>
    /// <param name="largest">The most tokens and workers.</param>
    /// <param name="memory">What plans need, and have had.</param>
    public NeighborLook(SplitPlan chosen, SplitPlan smallest, SplitPlan largest, MemoryForecast memory)
    {
        _memory = memory;
        Rounds.Add([chosen], generation: 0);
        _chosen = Rounds.Candidates[0];
        double most = Math.Min(memory.UsedMiB, memory.LimitMiB);
        Rounds.Add(FindNeighbors(chosen).Where(plan => IsBetween(plan, smallest, largest) && memory.Predict(plan) <= most), generation: 0);
        Rounds.Start();
    }

    /// <inheritdoc/>
    public TrialRounds Rounds { get; } = new();

    /// <inheritdoc/>
    public Candidate? Needed => _chosen;

    /// <inheritdoc/>
    public Candidate? Chosen { get; private set; }

    /// <inheritdoc/>
    public bool EndRound()
    {
        Rounds.End();
        double bad = PlanSearch.Bad * Rounds.Time(_chosen);
        Rounds.Drop(candidate => candidate != _chosen && (candidate.Fastest > bad || CountLost(candidate) > MostLost));
        bool isOver = Rounds.Candidates.Count == 1 || Rounds.Count == MostRounds;
        if (!isOver)
            Rounds.Start();
        else if (Rounds.Candidates.Count == 1)
            Chosen = _chosen;
        return isOver;
    }

    // The rounds in which a neighbor was not as much faster as it has to be: more memory has to pay, and that of the chosen plan, too.
    private int CountLost(Candidate neighbor)
    {
        double ratio = _memory.Predict(neighbor.Plan) / _memory.Predict(_chosen.Plan);
        double faster = ratio > PlanSearch.FreeMemory ? PlanSearch.WorthTheMemory : ratio < 1 / PlanSearch.FreeMemory ? 1 / PlanSearch.WorthTheMemory : Better;
        return neighbor.Rounds.Count(round => neighbor.TimeIn(round) * faster > _chosen.TimeIn(round));
    }

    private static IEnumerable<SplitPlan> FindNeighbors(SplitPlan plan) =>
    [
        plan with { Tokens = plan.Tokens / 2 },
        plan with { Tokens = plan.Tokens * 2 },
        plan with { Workers = plan.Workers / 2 },
        plan with { Workers = plan.Workers * 2 },
        plan with { Tokens = plan.Tokens * 2, Workers = plan.Workers / 2 },
        plan with { Tokens = plan.Tokens / 2, Workers = plan.Workers * 2 },
    ];

    private static bool IsBetween(SplitPlan plan, SplitPlan smallest, SplitPlan largest) =>
        plan.Tokens >= smallest.Tokens && plan.Tokens <= largest.Tokens && plan.Workers >= smallest.Workers && plan.Workers <= largest.Workers;
}
