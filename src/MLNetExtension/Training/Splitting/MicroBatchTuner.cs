namespace MLNetExtension.Training.Splitting;

/// <summary>
/// Finds the split that is worth its memory by trying splits on the steps of the training itself: any split gives the same gradient. It is asked for the plan of every step and told what the step cost;
/// it measures nothing itself.
/// </summary>
/// <remarks>
/// The positions in flight, those of the micro-batches of all workers, are doubled as long as that makes steps faster. In a round each plan that is not clearly slower than the best has one step, so that
/// a machine that drifts does so for all of them. What plans took tells what larger ones would take, before they are tried. In the end the medians of the last rounds decide. Now and then it all starts again.
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

    // Speed saturates: where the last doubling gained less than this, the next gains less still.
    private const double WorthDoubling = 1.05;

    // So much slower than the best: in the first use, which also pays for new memory, and the first trial; or in the median of a few trials.
    private const double Bad = 1.4, Worse = 1.15;
    private const int FewTrials = 3, EnoughTrials = 7;

    // The most steps between two searches, and the fewest, where the time of a position has changed by this.
    private const int MostSteps = 500, FewestSteps = 100;
    private const double Changed = 1.3;

    // Less than a doubling where the limit forbids one.
    private static readonly double[] _growths = [2, 1.5, 1.25];

    private readonly List<Candidate> _candidates = [];
    private readonly Queue<Candidate> _round = [];
    private readonly HashSet<SplitPlan> _tried = [];
    private readonly FootprintLine _footprint = new(bufferMiB);
    private SplitPlan? _smallest, _largest;    // the largest: where memory has run out
    private Candidate? _current, _chosen;      // the present step's, null where its cost does not count; that of all steps since the last search
    private (long Whole, int Longest) _batch, _largestBatch;
    private double _limitMiB;
    private int _steps;

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
        current.Record(cost.Seconds / cost.Positions);
        if (_chosen is null)
        {
            _footprint.Learn(current.Plan, _batch, cost.FootprintMiB);
            if (current.Trials > 0 && _round.Dequeue() == current && _round.Count == 0)
                EndRound();
        }
        else if (_steps >= MostSteps || (_steps >= FewestSteps && current.Time / Choice!.Chosen.SecondsPerPosition is > Changed or < 1 / Changed))
            StartSearch(_smallest!.Value);
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
        (_smallest, _chosen, _current, _steps) = (smallest, null, null, 0);
        _candidates.Clear();
        _round.Clear();
        _tried.Clear();
        Try([smallest], generation: 0);
        _round.Enqueue(_candidates[0]);
    }

    private void Try(IEnumerable<SplitPlan> plans, int generation)
    {
        foreach (SplitPlan plan in plans)
        {
            if (_tried.Add(plan))
                _candidates.Add(new Candidate(plan, generation));
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
        double best = _candidates.Min(candidate => candidate.Time);
        _candidates.RemoveAll(candidate => candidate.Fastest > Bad * best || (candidate.Trials >= FewTrials && candidate.Time > Worse * best));
        int before = _candidates.Count;
        TryLarger();
        if (_candidates.Count == before && _candidates.All(candidate => candidate.Trials >= EnoughTrials))
            Choose();
        else
            _candidates.ForEach(_round.Enqueue);
    }

    // As long as the last plans added were worth it, or memory is free.
    private void TryLarger()
    {
        int last = _candidates.Max(candidate => candidate.Generation);
        ILookup<bool, Candidate> byAge = _candidates.ToLookup(candidate => candidate.Generation == last);
        double gain = byAge[false].Select(candidate => candidate.Time).DefaultIfEmpty(double.PositiveInfinity).Min() / byAge[true].Min(candidate => candidate.Time);
        if (gain < Bad && byAge[true].Any(candidate => candidate.Trials < FewTrials))
            return;
        double free = Math.Min(_limitMiB, FreeMemory * Predict(_smallest!.Value));
        Try([.. _candidates.SelectMany(candidate => Double(candidate.Plan, gain >= WorthDoubling || candidate.Generation == 0 ? _limitMiB : free))], last + 1);
    }

    private IEnumerable<SplitPlan> Double(SplitPlan plan, double mostMiB)
    {
        if ((double)plan.Tokens * plan.Workers >= _largestBatch.Whole)
            yield break;
        SplitPlan larger = _growths.Select(growth => plan with { Tokens = (int)Math.Min(growth * plan.Tokens, _largest?.Tokens ?? int.MaxValue) }).FirstOrDefault(grown => Predict(grown) <= _limitMiB);
        if (larger.Tokens > plan.Tokens && Predict(larger) <= mostMiB)
            yield return larger;
        SplitPlan shared = plan with { Workers = Math.Min(plan.Workers * 2, _largest?.Workers ?? mostWorkers) };
        if (Predict(shared) <= mostMiB)
            yield return shared;
    }

    // The fastest of those that need hardly more than the least memory; then likewise of those that are faster still by a tenth, until there are none.
    private void Choose()
    {
        double least = Predict(_smallest!.Value);
        for (List<Candidate> left = _candidates; left.Count > 0; least = left.Select(candidate => Predict(candidate.Plan)).DefaultIfEmpty().Min())
        {
            _chosen = left.Where(candidate => Predict(candidate.Plan) <= FreeMemory * least).MinBy(candidate => candidate.Time) ?? _chosen;
            left = [.. left.Where(candidate => !(candidate.Time * WorthTheMemory > _chosen?.Time))];
        }
        Choice = new SplitChoice(Describe(_chosen!), Describe(_candidates.MinBy(candidate => candidate.Time)!), _tried.Count, _steps);
        _steps = 0;
    }

    private MeasuredPlan Describe(Candidate candidate) => new(candidate.Plan, candidate.Time, Predict(candidate.Plan));

    private double Predict(SplitPlan plan) => _footprint.Predict(plan, _largestBatch);
}
