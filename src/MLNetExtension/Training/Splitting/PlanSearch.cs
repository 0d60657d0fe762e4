namespace MLNetExtension.Training.Splitting;

/// <summary>
/// Looks for the plan that is worth its memory among all, from the smallest up: the positions in flight, those of the micro-batches of all workers, are doubled as long as what was tried leaves room for a
/// larger plan to be worth its memory. What plans took tells what larger ones would take, before they are tried.
/// </summary>
internal sealed class PlanSearch : IPlanTrials
{
    /// <summary>Memory up to this multiple of the least is free.</summary>
    public const double FreeMemory = 1.25;

    /// <summary>A plan that needs more has to be faster by this.</summary>
    public const double WorthTheMemory = 1.1;

    /// <summary>So much slower than the best, in the first use, which also pays for new memory, and the first trial, is a plan not tried again.</summary>
    public const double Bad = 1.4;

    /// <summary>The fewest trials by which a plan is chosen.</summary>
    public const int EnoughTrials = 7;

    // So much slower than the best, by most of a few trials.
    private const double Worse = 1.15, Likely = 0.5;
    private static readonly (int Trials, double Seconds) _few = (3, 1.5), _several = (5, 1.5), _enough = (EnoughTrials, 8), _most = (28, 32);

    // How certain it has to be that a plan pays, in standard deviations. Where all trials do not tell it to this share of the time, because steps are short and vary much, what could pay is tried.
    private const double Certain = 1.64, Hidden = 0.06;

    // Less than a doubling where the limit forbids one.
    private static readonly double[] _growths = [2, 1.5, 1.25];

    private readonly SplitPlan _smallest;
    private readonly SplitPlan _largest;
    private readonly MemoryForecast _memory;
    private bool _isUndecided;

    /// <summary>Starts with the smallest plan.</summary>
    /// <param name="smallest">The fewest tokens and workers.</param>
    /// <param name="largest">The most tokens and workers.</param>
    /// <param name="memory">What plans need.</param>
    public PlanSearch(SplitPlan smallest, SplitPlan largest, MemoryForecast memory)
    {
        (_smallest, _largest, _memory) = (smallest, largest, memory);
        Rounds.Add([smallest], generation: 0);
        Rounds.Start();
    }

    /// <inheritdoc/>
    public TrialRounds Rounds { get; } = new();

    /// <inheritdoc/>
    public Candidate? Needed => null;

    /// <inheritdoc/>
    public Candidate? Chosen { get; private set; }

    /// <inheritdoc/>
    public bool EndRound()
    {
        Rounds.End();
        Candidate fastest = Rounds.Fastest;
        double bad = Bad * Rounds.Time(fastest);
        Candidate[] slow = [.. Rounds.Candidates.Where(candidate => candidate.Fastest > bad || IsSlower(candidate, fastest))];
        Rounds.Drop(slow.Contains);
        if (!TryLarger() && !_isUndecided && Rounds.Candidates.All(candidate => candidate.Has(_enough)))
            Chosen = FindBest().Best;
        else
            Rounds.Start();
        return Chosen is not null;
    }

    private static bool IsSlower(Candidate candidate, Candidate fastest) => candidate.Has(_several) && TrialRounds.Compare(candidate, time => time(candidate) - Worse * time(fastest), Likely).Low > 0;

    // As long as larger ones could be chosen, by what those say that were tried. More than that is not to be spent on trials: memory that was in use once stays with the process.
    private bool TryLarger()
    {
        _isUndecided = false;
        int last = Rounds.Candidates.Max(candidate => candidate.Generation);
        ILookup<bool, Candidate> byAge = Rounds.Candidates.ToLookup(candidate => candidate.Generation == last);
        double gain = byAge[false].Select(Rounds.Time).DefaultIfEmpty(double.PositiveInfinity).Min() / byAge[true].Min(Rounds.Time);
        if (gain < Bad && byAge[true].Any(candidate => !candidate.Has(_few)))
            return false;
        (Candidate best, double freeMiB) = FindBest();
        bool isMeasured = (gain >= Bad && byAge[true].All(candidate => candidate.Trials >= _few.Trials)) || byAge[true].All(candidate => candidate.Has(_enough));
        _isUndecided = Rounds.Candidates.Any(candidate => _memory.Predict(candidate.Plan) > freeMiB && Pays(candidate, time => time(candidate), best) is null);
        SplitPlan[] larger = [.. Rounds.Candidates.SelectMany(candidate => Double(candidate, predict => isMeasured && MayPay(candidate, predict, best) ? _memory.LimitMiB : Math.Min(_memory.LimitMiB, freeMiB)))];
        return Rounds.Add(larger, last + 1);
    }

    // The most memory that a plan may take depends on the time that it could have.
    private IEnumerable<SplitPlan> Double(Candidate candidate, Func<Estimate, double> findMostMiB)
    {
        SplitPlan plan = candidate.Plan;
        if ((double)plan.Tokens * plan.Workers >= _memory.LargestBatch.Whole)
            yield break;
        SplitPlan larger = _growths.Select(growth => plan with { Tokens = (int)Math.Min(growth * plan.Tokens, _largest.Tokens) }).FirstOrDefault(grown => _memory.Predict(grown) <= _memory.LimitMiB);
        if (larger.Tokens > plan.Tokens && !Rounds.Knows(larger) && _memory.Predict(larger) <= findMostMiB(time => PredictTimeOfLargest(candidate, time)))
            yield return larger;
        SplitPlan shared = plan with { Workers = Math.Min(plan.Workers * 2, _largest.Workers) };
        if (!Rounds.Knows(shared) && _memory.Predict(shared) <= findMostMiB(time => PredictTimeOfShared(candidate, shared.Workers, time)))
            yield return shared;
    }

    // Memory is spent where it is certain that it pays; as long as trials may still tell, they go on, among plans that cost nothing.
    private bool MayPay(Candidate candidate, Estimate predict, Candidate best)
    {
        Estimate saving = time => time(best) / WorthTheMemory - predict(time);
        bool isCompared = candidate.Rounds.Count(round => !double.IsNaN(saving(other => other.TimeIn(round)))) >= EnoughTrials;
        // What has no more trials was slower for certain, and of a gain so large that it came early medians say enough.
        if (!isCompared || double.IsNaN(saving(other => other.TimeIn(Rounds.Count - 1))))
            return saving(Rounds.Time) >= 0;
        bool? pays = Pays(candidate, predict, best);
        _isUndecided |= pays is null;
        return pays == true;
    }

    // Whether a time saves a tenth; null as long as more trials may tell.
    private static bool? Pays(Candidate candidate, Estimate predict, Candidate best)
    {
        (double low, double high) = TrialRounds.Compare(candidate, time => 1 / WorthTheMemory - predict(time) / time(best), Certain);
        if (low >= 0 || high < 0)
            return low >= 0;
        if (!candidate.Has(_most))
            return null;
        return candidate.IsFull && high - low > 2 * Hidden;
    }

    // A position's time is a + b / tokens, where b is what a micro-batch costs whatever its size: two plans tell a, that of a micro-batch without end.
    private double PredictTimeOfLargest(Candidate candidate, Func<Candidate, double> time)
    {
        Candidate? smaller = Rounds.Measured.Where(other => other.Plan.Workers == candidate.Plan.Workers && other.Plan.Tokens < candidate.Plan.Tokens).MaxBy(other => other.Plan.Tokens);
        return smaller is null ? 0 : time(candidate) - (time(smaller) - time(candidate)) / ((double)candidate.Plan.Tokens / smaller.Plan.Tokens - 1);
    }

    // More workers gain at most what they gained with fewer tokens, where kernels are shorter.
    private double PredictTimeOfShared(Candidate candidate, int workers, Func<Candidate, double> time)
    {
        double gain = Rounds.Measured.Where(other => other.Plan.Workers == candidate.Plan.Workers && other.Plan.Tokens < candidate.Plan.Tokens)
            .SelectMany(fewer => Rounds.Measured.Where(more => more.Plan == fewer.Plan with { Workers = workers }).Select(more => time(fewer) / time(more)))
            .DefaultIfEmpty((double)workers / candidate.Plan.Workers).Max();
        return time(candidate) / gain;
    }

    // The fastest of those that need hardly more than the least memory; then likewise of those that are faster still by a tenth, until there are none. And the memory that is free among the last.
    private (Candidate Best, double FreeMiB) FindBest()
    {
        Candidate? best = null;
        double free = FreeMemory * _memory.Predict(_smallest);
        for (IReadOnlyList<Candidate> left = Rounds.Candidates; ; free = FreeMemory * left.Min(candidate => _memory.Predict(candidate.Plan)))
        {
            best = left.Where(candidate => _memory.Predict(candidate.Plan) <= free).MinBy(Rounds.Time) ?? best;
            left = best is null ? left : [.. left.Where(candidate => Rounds.Time(candidate) * WorthTheMemory <= Rounds.Time(best))];
            if (left.Count == 0)
                return (best!, free);
        }
    }
}
