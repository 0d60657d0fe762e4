namespace MLNetExtension.Training.Splitting;

/// <summary>
/// Finds the split that is worth its memory by trying splits on the steps of the training itself: any split gives the same gradient. It is asked for the plan of every step and told what the step cost;
/// it measures nothing itself.
/// </summary>
/// <remarks>
/// The positions in flight, those of the micro-batches of all workers, are doubled as long as the plans tried leave room for a larger one to be worth its memory. In a round each plan that is not clearly
/// slower than the best has one step, so that a machine that drifts does so for all of them. What plans took tells what larger ones would take, before they are tried. In the end the medians of the last
/// rounds decide. Now and then the plan that was chosen is compared with its neighbors, as far as memory has held them before; where a position takes another time than it did, all starts again.
/// </remarks>
/// <param name="start">Whether rows are packed, and the fewest workers.</param>
/// <param name="mostWorkers">The most workers.</param>
/// <param name="bufferMiB">Memory of a gradient buffer: each worker has one, the optimizer two.</param>
internal sealed class MicroBatchTuner(SplitPlan start, int mostWorkers, double bufferMiB)
{
    // What is tried first, unless a row is longer: products run at full speed from 72 rows on. A GPU computes 4,096 positions hardly slower than 512, for which it only starts as many kernels.
    private const int FewestTokens = 128, FewestTokensOnGpu = 4096;

    // Memory up to this multiple of the least is free; a plan that needs more has to be faster by a tenth.
    private const double FreeMemory = 1.25, WorthTheMemory = 1.1;

    // So much slower than the best: in the first use, which also pays for new memory, and the first trial; or in the median of a few trials.
    private const double Bad = 1.4, Worse = 1.15;
    private static readonly Effort _few = new(3, 1.5), _enough = new(7, 8), _most = new(28, 32, MostTrials: Candidate.MostTrials);

    // Standard deviations within which a gain may be noise, and the difference of times that counts as none.
    private const double Certainty = 1.5, Same = 0.05;

    // The most steps between two searches, and the fewest, where the time of a position has changed by this.
    private const int MostSteps = 400, FewestSteps = 100;
    private const double Changed = 1.3;

    // Less than a doubling where the limit forbids one.
    private static readonly double[] _growths = [2, 1.5, 1.25];

    private readonly List<Candidate> _tried = [], _candidates = [];    // all of the search, and those that are not clearly slower than the best
    private readonly Queue<Candidate> _round = [];
    private readonly FootprintLine _footprint = new(bufferMiB);
    private SplitPlan? _smallest, _largest;    // the largest: where memory has run out
    private Candidate? _current, _chosen;      // the present step's, null where its cost does not count; that of all steps since the last search
    private Candidate? _before;                // what was chosen before, where only its neighbors are tried; null in a whole search
    private (long Whole, int Longest) _batch, _largestBatch;
    private double _limitMiB;
    private int _steps;
    private bool _isUndecided;    // whether more rounds may show that a larger plan pays

    /// <summary>The tokens of a micro-batch where a training is too short for trials.</summary>
    /// <param name="onCpu">Whether it trains on the CPU.</param>
    public static int TokensWithoutTrials(bool onCpu) => onCpu ? 512 : FewestTokensOnGpu;

    /// <summary>Whether plans are being tried.</summary>
    public bool IsSearching => _chosen is null;

    /// <summary>What the last search found; null before.</summary>
    public SplitChoice? Choice { get; private set; }

    /// <summary>Gives the plan of the next step.</summary>
    /// <param name="batch">Positions of the step's batch in a single micro-batch, and of its longest row.</param>
    public SplitPlan ChoosePlan((long Whole, int Longest) batch)
    {
        (_batch, _largestBatch) = (batch, (Math.Max(_largestBatch.Whole, batch.Whole), Math.Max(_largestBatch.Longest, batch.Longest)));
        if (_smallest is not { } smallest)
        {
            StartSearch(start with { Tokens = Math.Max(start.Threads is null ? FewestTokensOnGpu : FewestTokens, batch.Longest) });
            return _smallest!.Value;    // does not count: it also pays for the optimizer's state, for threads and for what libtorch loads
        }
        Candidate next = _chosen ?? _round.Peek();
        bool fits = next.Plan == smallest || _footprint.Predict(next.Plan, batch) <= _limitMiB;
        if (!fits && _chosen is null)
            GiveUp(next);
        // A short last batch spends more of its time beside the model.
        _current = fits && batch.Whole >= _largestBatch.Whole / 2 ? next : null;
        return fits ? next.Plan : smallest;
    }

    /// <summary>Takes in what the step cost whose plan was given last.</summary>
    /// <param name="cost">Its cost.</param>
    public void Record(StepCost cost)
    {
        _limitMiB = cost.LimitMiB;
        if (_current is not { } current)
            return;
        _steps++;
        current.Record(cost.Seconds, cost.Positions);
        if (_chosen is null)
        {
            _footprint.Learn(current.Plan, _batch, cost.FootprintMiB);
            if (current.Trials > 0 && _round.Dequeue() == current && _round.Count == 0)
                EndRound();
        }
        else if (_steps >= FewestSteps && current.TimeOf(_enough.Trials) / Choice!.Chosen.SecondsPerPosition is > Changed or < 1 / Changed)
            StartSearch(_smallest!.Value);
        else if (_steps >= MostSteps)
            StartLook(current.Plan);
    }

    /// <summary>Takes in that memory ran out: the search starts again, among plans no larger than the one by which the batch could be computed.</summary>
    /// <param name="plan">That plan.</param>
    public void Reduce(SplitPlan plan)
    {
        _largest = plan;
        StartSearch(start with { Tokens = Math.Min(plan.Tokens, _smallest!.Value.Tokens), Workers = Math.Min(plan.Workers, start.Workers) });
    }

    private void StartSearch(SplitPlan smallest)
    {
        _smallest = smallest;
        Start([smallest]);
    }

    private void StartLook(SplitPlan chosen)
    {
        Start([chosen, .. Neighbors(chosen).Where(plan => plan.Tokens >= _smallest!.Value.Tokens && plan.Tokens <= MostTokens && plan.Workers >= start.Workers && plan.Workers <= MostWorkers && _footprint.HasHeld(plan, _largestBatch))]);
        _before = _candidates[0];
    }

    private int MostTokens => _largest?.Tokens ?? int.MaxValue;

    private int MostWorkers => _largest?.Workers ?? mostWorkers;

    // Half and twice the tokens in flight, by as many workers or others, and as many by others.
    private static IEnumerable<SplitPlan> Neighbors(SplitPlan plan) =>
    [
        plan with { Tokens = plan.Tokens / 2 },
        plan with { Tokens = plan.Tokens * 2 },
        plan with { Workers = plan.Workers / 2 },
        plan with { Workers = plan.Workers * 2 },
        plan with { Tokens = plan.Tokens / 2, Workers = plan.Workers * 2 },
        plan with { Tokens = plan.Tokens * 2, Workers = plan.Workers / 2 },
    ];

    private void Start(SplitPlan[] plans)
    {
        (_chosen, _before, _current, _steps, _isUndecided) = (null, null, null, 0, false);
        _candidates.Clear();
        _round.Clear();
        _tried.Clear();
        Try(plans, generation: 0);
        _candidates.ForEach(_round.Enqueue);
    }

    private void Try(IEnumerable<SplitPlan> plans, int generation)
    {
        foreach (SplitPlan plan in plans)
        {
            if (!IsNew(plan))
                continue;
            _tried.Add(new Candidate(plan, generation));
            _candidates.Add(_tried[^1]);
        }
    }

    // What steps took since a plan was added says that it passes the limit.
    private void GiveUp(Candidate candidate)
    {
        _candidates.Remove(candidate);
        _round.Dequeue();
        if (_candidates.Count == 0)
            StartSearch(_smallest!.Value);
        else if (_round.Count == 0)
            EndRound();
    }

    private void EndRound()
    {
        double best = _candidates.Min(Time);
        Candidate[] slow = [.. _candidates.Where(candidate => candidate.Fastest > Bad * best || (candidate.Has(_few) && Time(candidate) > Worse * best))];
        _candidates.RemoveAll(slow.Contains);
        int before = _candidates.Count;
        if (_before is null)
            TryLarger();
        if (_candidates.Count == before && !_isUndecided && _candidates.All(candidate => candidate.Has(_enough)))
            Choose();
        else
            _candidates.ForEach(_round.Enqueue);
    }

    // As long as larger ones could be chosen, by what those say that were tried. More than that is not to be spent on trials: memory that was in use once stays with the process.
    private void TryLarger()
    {
        _isUndecided = false;
        int last = _candidates.Max(candidate => candidate.Generation);
        ILookup<bool, Candidate> byAge = _candidates.ToLookup(candidate => candidate.Generation == last);
        double gain = byAge[false].Select(Time).DefaultIfEmpty(double.PositiveInfinity).Min() / byAge[true].Min(Time);
        if (gain < Bad && byAge[true].Any(candidate => !candidate.Has(_few)))
            return;
        (Candidate best, double freeMiB) = FindBest();
        bool isCertain = gain >= Bad || byAge[true].All(candidate => candidate.Has(_enough));
        Try([.. _candidates.SelectMany(candidate => Double(candidate, predict => isCertain && Pays(candidate, best, predict) ? _limitMiB : Math.Min(_limitMiB, freeMiB)))], last + 1);
    }

    // Whether a plan whose time is predicted is worth more memory: by rounds, since machines drift, and beyond the noise of a prediction from times that are hardly apart. While rounds do not tell, more are taken; where noise hides even
    // what counts as the same, what is likelier decides in the end.
    private bool Pays(Candidate candidate, Candidate best, Func<Func<Candidate, double>, double> predict)
    {
        (double gain, double error) = TrimmedMean.Of([.. Enumerable.Range(0, candidate.Trials).Select(round => TimeIn(round)(best) / WorthTheMemory - predict(TimeIn(round)))]);
        bool isLast = candidate.Has(_most), isHidden = Certainty * error > Same * Time(best);
        // What seemed large at once was let through before there were many rounds.
        if (!candidate.Has(_enough) || (isLast && isHidden))
            return gain > 0;
        _isUndecided |= !isLast && Math.Abs(gain) <= Certainty * error;
        return gain > Certainty * error;

        Func<Candidate, double> TimeIn(int round) => other => other.TimeAgo(round, _candidates.Contains(other));
    }

    // The most memory that a plan may take depends on the time that it could have.
    private IEnumerable<SplitPlan> Double(Candidate candidate, Func<Func<Func<Candidate, double>, double>, double> findMostMiB)
    {
        SplitPlan plan = candidate.Plan;
        if ((double)plan.Tokens * plan.Workers >= _largestBatch.Whole)
            yield break;
        SplitPlan larger = _growths.Select(growth => plan with { Tokens = (int)Math.Min(growth * plan.Tokens, MostTokens) }).FirstOrDefault(grown => Predict(grown) <= _limitMiB);
        if (larger.Tokens > plan.Tokens && IsNew(larger) && Predict(larger) <= findMostMiB(time => PredictTimeOfLargest(candidate, time)))
            yield return larger;
        SplitPlan shared = plan with { Workers = Math.Min(plan.Workers * 2, MostWorkers) };
        if (IsNew(shared) && Predict(shared) <= findMostMiB(time => PredictTimeOfShared(candidate, shared.Workers, time)))
            yield return shared;
    }

    private bool IsNew(SplitPlan plan) => _tried.All(candidate => candidate.Plan != plan);

    // Those that were given up before their first trial are not.
    private IEnumerable<Candidate> Measured => _tried.Where(candidate => candidate.Trials > 0);

    // A position's time is a + b / tokens, where b is what a micro-batch costs whatever its size: two plans tell a, that of a micro-batch without end.
    private double PredictTimeOfLargest(Candidate candidate, Func<Candidate, double> time)
    {
        Candidate? smaller = Measured.Where(other => other.Plan.Workers == candidate.Plan.Workers && other.Plan.Tokens < candidate.Plan.Tokens).MaxBy(other => other.Plan.Tokens);
        return smaller is null ? 0 : time(candidate) - (time(smaller) - time(candidate)) / ((double)candidate.Plan.Tokens / smaller.Plan.Tokens - 1);
    }

    // More workers gain at most what they gained with fewer tokens, where kernels are shorter.
    private double PredictTimeOfShared(Candidate candidate, int workers, Func<Candidate, double> time)
    {
        double gain = Measured.Where(other => other.Plan.Workers == candidate.Plan.Workers && other.Plan.Tokens < candidate.Plan.Tokens)
            .SelectMany(fewer => Measured.Where(more => more.Plan == fewer.Plan with { Workers = workers }).Select(more => time(fewer) / time(more)))
            .DefaultIfEmpty((double)workers / candidate.Plan.Workers).Max();
        return time(candidate) / gain;
    }

    private void Choose()
    {
        Candidate chosen = _before is null ? FindBest().Best : FindBetter(_before);
        if (_before is not null && chosen != _before)
        {
            StartLook(chosen.Plan);    // among its own neighbors, until none is better
            return;
        }
        _chosen = chosen;
        Choice = new SplitChoice(Describe(_chosen), Describe(_candidates.MinBy(Time)!), _tried.Count, _steps);
        _steps = 0;
    }

    // The fastest of those that need hardly more than the least memory; then likewise of those that are faster still by a tenth, until there are none. And the memory that is free among the last.
    private (Candidate Best, double FreeMiB) FindBest()
    {
        Candidate? best = null;
        double free = FreeMemory * Predict(_smallest!.Value);
        for (List<Candidate> left = _candidates; ; free = FreeMemory * left.Min(candidate => Predict(candidate.Plan)))
        {
            best = left.Where(candidate => Predict(candidate.Plan) <= free).MinBy(Time) ?? best;
            left = best is null ? left : [.. left.Where(candidate => Time(candidate) * WorthTheMemory <= Time(best))];
            if (left.Count == 0)
                return (best!, free);
        }
    }

    // The fastest of those that are better than what was chosen before, beyond noise: faster, or hardly slower in less memory.
    private Candidate FindBetter(Candidate before)
    {
        if (!_candidates.Contains(before))
            return FindBest().Best;
        return _candidates.Where(IsBetter).MinBy(Time) ?? before;

        bool IsBetter(Candidate other)
        {
            double worth = FreeMemory * Predict(other.Plan) < Predict(before.Plan) ? WorthTheMemory : 1;
            (double gain, double error) = TrimmedMean.Of([.. Enumerable.Range(0, other.Trials).Select(round => before.TimeAgo(round, isTried: true) - other.TimeAgo(round, isTried: true) / worth)]);
            return gain > Certainty * error;
        }
    }

    private MeasuredPlan Describe(Candidate candidate) => new(candidate.Plan, Time(candidate), Predict(candidate.Plan));

    // Of the same rounds for all, as soon as the last that was added has enough of them: the machine drifts.
    private double Time(Candidate candidate) => candidate.TimeOf(Math.Max(_enough.Trials, _candidates.Min(other => other.Trials)));

    private double Predict(SplitPlan plan) => _footprint.Predict(plan, _largestBatch);
}
