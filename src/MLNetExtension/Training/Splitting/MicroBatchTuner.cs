namespace MLNetExtension.Training.Splitting;

/// <summary>
/// Finds the split that is worth its memory by trying splits on the steps of the training itself: any split gives the same gradient. It is asked for the plan of every step and told what the step cost;
/// it measures nothing itself.
/// </summary>
/// <remarks>
/// The first steps search among all plans (<see cref="PlanSearch"/>). Now and then a look compares the one that was chosen with its neighbors (<see cref="NeighborLook"/>). Where one of them is better,
/// or steps take much more or less time than they did, the machine has changed, and the search starts again.
/// </remarks>
/// <param name="start">Whether rows are packed, and the fewest workers.</param>
/// <param name="mostWorkers">The most workers.</param>
/// <param name="bufferMiB">Memory of a gradient buffer: each worker has one, the optimizer two.</param>
internal sealed class MicroBatchTuner(SplitPlan start, int mostWorkers, double bufferMiB)
{
    // What is tried first, unless a row is longer: products run at full speed from 72 rows on. A GPU computes 4,096 positions hardly slower than 512, for which it only starts as many kernels.
    private const int FewestTokens = 128, FewestTokensOnGpu = 4096;

    // The steps between two looks, and the fewest before a new search, where the time of a position in the last steps has changed by this.
    private const int StepsToLook = 400, FewestSteps = 100, LastSteps = 28;
    private const double Changed = 1.3;

    private readonly MemoryForecast _memory = new(bufferMiB);
    private SplitPlan? _smallest;
    private SplitPlan _largest = start with { Tokens = int.MaxValue, Workers = mostWorkers };    // less where memory has run out
    private IPlanTrials? _trials;              // null while all steps have the same plan
    private Candidate? _current, _chosen;      // the present step's, null where its cost does not count; that of all steps since the last trials
    private (long Whole, int Longest) _batch;
    private double _expected;                  // the time of a position by the last search, or before the last look, in seconds
    private int _steps;                        // since the last trials

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
        _batch = batch;
        _memory.Expect(batch);
        if (_smallest is not { } smallest)
        {
            StartSearch(start with { Tokens = Math.Max(start.Threads is null ? FewestTokensOnGpu : FewestTokens, batch.Longest) });
            return _smallest!.Value;    // does not count: it also pays for the optimizer's state, for threads and for what libtorch loads
        }
        Candidate next = _chosen ?? _trials!.Rounds.Next!;
        bool fits = next.Plan == smallest || _memory.Fits(next.Plan, batch);
        if (!fits && _trials is { } trials && trials.Needed != next)
            GiveUp(next);
        // A short last batch spends more of its time beside the model.
        _current = fits && batch.Whole >= _memory.LargestBatch.Whole / 2 ? next : null;
        return fits ? next.Plan : smallest;
    }

    /// <summary>Takes in what the step cost whose plan was given last.</summary>
    /// <param name="cost">Its cost.</param>
    public void Record(StepCost cost)
    {
        _memory.LimitMiB = cost.LimitMiB;
        if (_current is not { } current)
            return;
        if (_trials is not null)
        {
            _memory.Learn(current.Plan, _batch, cost.FootprintMiB);
            _trials.Rounds.Record(cost);
            if (_trials.Rounds.Next is null)
                EndRound();
            return;
        }
        _steps++;
        current.Record(_steps, cost.Seconds, cost.Positions);
        if (_steps >= FewestSteps && current.TimeOf(LastSteps) / _expected is > Changed or < 1 / Changed)
            StartSearch(_smallest!.Value);
        else if (_steps >= StepsToLook)
        {
            _expected = current.TimeOf(LastSteps);
            StartTrials(new NeighborLook(current.Plan, _smallest!.Value, _largest, _memory));
        }
    }

    /// <summary>Takes in that memory ran out: the search starts again, among plans no larger than the one by which the batch could be computed.</summary>
    /// <param name="plan">That plan.</param>
    public void Reduce(SplitPlan plan)
    {
        _largest = plan;
        _memory.Forget();
        StartSearch(start with { Tokens = Math.Min(plan.Tokens, _smallest!.Value.Tokens), Workers = Math.Min(plan.Workers, start.Workers) });
    }

    private void StartSearch(SplitPlan smallest)
    {
        _smallest = smallest;
        StartTrials(new PlanSearch(smallest, _largest, _memory));
    }

    private void StartTrials(IPlanTrials trials) => (_trials, _chosen, _current) = (trials, null, null);

    // What steps took since a plan was added says that it passes the limit.
    private void GiveUp(Candidate candidate)
    {
        _trials!.Rounds.Drop(other => other == candidate);
        if (_trials.Rounds.Candidates.Count == 0)
            StartSearch(_smallest!.Value);
        else if (_trials.Rounds.Next is null)
            EndRound();
    }

    private void EndRound()
    {
        if (!_trials!.EndRound())
            return;
        if (_trials.Chosen is not { } chosen)
        {
            StartSearch(_smallest!.Value);
            return;
        }
        if (_trials is PlanSearch { Rounds: TrialRounds rounds })
        {
            Choice = new SplitChoice(Describe(chosen, rounds), Describe(rounds.Fastest, rounds), rounds.Tried, rounds.Steps);
            _expected = chosen.TimeOf(LastSteps);
        }
        (_trials, _steps, _chosen) = (null, 0, new Candidate(chosen.Plan, chosen.Generation));
    }

    private MeasuredPlan Describe(Candidate candidate, TrialRounds rounds) => new(candidate.Plan, rounds.Time(candidate), _memory.Predict(candidate.Plan));
}
