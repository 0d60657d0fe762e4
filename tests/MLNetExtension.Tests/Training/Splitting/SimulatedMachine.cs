using MLNetExtension.Training.Splitting;

namespace MLNetExtension.Tests.Training.Splitting;

/// <summary>What steps take on a machine.</summary>
internal sealed record MachineModel
{
    public int Cores { get; init; } = 2;

    /// <summary>Time of a position on one core, in seconds.</summary>
    public double SecondsPerPosition { get; init; } = 1e-3;

    /// <summary>Time that a micro-batch takes beside, on however many cores.</summary>
    public double SecondsPerMicroBatch { get; init; }

    /// <summary>What a worker loses by each further core that its kernels share, as a share of the time on one.</summary>
    public double LossPerSharedCore { get; init; }

    /// <summary>What each further worker costs all of them: cores or bandwidth that they take from one another.</summary>
    public double LossPerWorker { get; init; }

    /// <summary>Positions in flight beyond which the caches are too small, and what is lost then.</summary>
    public (double Positions, double Loss) Caches { get; init; } = (double.PositiveInfinity, 0);

    public double FixedMiB { get; init; } = 100;

    public double MiBPerPosition { get; init; } = 0.3;

    public double BufferMiB { get; init; } = 10;
}

/// <summary>A clock and memory that are computed instead of measured, with the noise of a shared machine: every step varies, some take much longer, all drift, and memory once taken is given back only in part.</summary>
internal sealed class SimulatedMachine(MachineModel model, int seed, double limitMiB = double.PositiveInfinity)
{
    private readonly Random _random = new(seed);
    private readonly HashSet<SplitPlan> _used = [];
    private double _clock, _held;

    public MachineModel Model { get; set; } = model;

    /// <summary>Noise of a step's time: the standard deviation of its logarithm.</summary>
    public double Noise { get; init; } = 0.05;

    /// <summary>By which share of the time the machine drifts, back and forth over minutes.</summary>
    public double Drift { get; init; } = 0.1;

    public double LargestFootprint { get; private set; }

    /// <summary>Takes a step with the plan that the tuner gives.</summary>
    public SplitPlan Step(MicroBatchTuner tuner, int[] rows)
    {
        SplitPlan plan = tuner.ChoosePlan((rows.Sum(), rows.Max()));
        tuner.Record(Run(plan, rows));
        return plan;
    }

    /// <summary>Draws a batch's row lengths.</summary>
    public int[] Draw(int rows = 16, int shortest = 64, int longest = 256) => [.. Enumerable.Range(0, rows).Select(_ => _random.Next(shortest, longest + 1))];

    public static double Time(MachineModel model, SplitPlan plan, int[] rows)
    {
        double positions = rows.Sum(), perMicroBatch = Math.Max(plan.Tokens, rows.Max());
        double microBatches = Math.Ceiling(positions / perMicroBatch), each = model.Cores / plan.Workers;
        double speed = plan.Workers * each / (1 + model.LossPerSharedCore * (each - 1)) / (1 + model.LossPerWorker * (plan.Workers - 1));
        double cached = InFlight(plan, rows) > model.Caches.Positions ? 1 + model.Caches.Loss : 1;
        return positions * model.SecondsPerPosition * cached / speed + microBatches * model.SecondsPerMicroBatch / plan.Workers;
    }

    public static double Footprint(MachineModel model, SplitPlan plan, int[] rows) => model.FixedMiB + model.MiBPerPosition * InFlight(plan, rows) + model.BufferMiB * (plan.Workers - 1);

    /// <summary>Takes a step.</summary>
    public StepCost Run(SplitPlan plan, int[] rows)
    {
        double seconds = Time(Model, plan, rows) * Math.Exp(Noise * Normal()) * (1 + Drift * Math.Sin(_clock / 50)), needed = Footprint(Model, plan, rows);
        if (_random.NextDouble() < 0.05)
            seconds *= 1 + 2 * _random.NextDouble();
        if (_used.Add(plan))
            seconds *= 1.2;
        _clock += seconds;
        // Of what larger plans took, a part stays.
        double footprint = Math.Max(needed, _held) + 3 * _random.NextDouble();
        _held = Math.Max(0.8 * footprint, Math.Min(_held, footprint));
        LargestFootprint = Math.Max(LargestFootprint, needed);
        return new StepCost(rows.Sum(), seconds, footprint, limitMiB);
    }

    private static double InFlight(SplitPlan plan, int[] rows) => Math.Min(rows.Sum(), (double)plan.Workers * Math.Max(plan.Tokens, rows.Max()));

    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
}
