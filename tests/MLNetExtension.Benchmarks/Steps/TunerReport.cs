using System.Globalization;
using MLNetExtension.Benchmarks.Measuring;
using MLNetExtension.Benchmarks.Workloads;
using Spectre.Console;

namespace MLNetExtension.Benchmarks.Steps;

/// <summary>What trials of splits find, start by start, beside every split that is fixed.</summary>
/// <param name="Workload">The workload.</param>
/// <param name="Fixed">The splits that are fixed, each in its fastest round.</param>
/// <param name="Starts">What each start found; its split's speed is that of the fixed one.</param>
/// <param name="LargestLoss">How much slower than the fastest fixed split the worst start ends, 0 to 1.</param>
internal sealed record TunerReport(string Workload, IReadOnlyList<PlanResult> Fixed, IReadOnlyList<PlanResult> Starts, double LargestLoss)
{
    private const int Rounds = 3;

    /// <summary>Measures, each start and each split in a process of its own.</summary>
    /// <param name="workload">The workload.</param>
    /// <param name="starts">How often a training starts.</param>
    /// <param name="children">Starts the processes.</param>
    /// <param name="log">Receives a line of text for everything that is done.</param>
    /// <param name="cancellation">Ends the process that is running.</param>
    public static async Task<TunerReport> Measure(Workload workload, int starts, ChildProcess children, Action<string> log, CancellationToken cancellation)
    {
        List<PlanResult> found = [], measured = [];
        for (int start = 1; start <= starts; start++)
        {
            found.Add(await children.RunSelf<PlanResult>($"Start {start} of {workload.Name}", [HiddenCommands.TunerStart, workload.Name], cancellation));
            log($"{workload.Name} start {start} of {starts}: {Describe(found[^1])} after {found[^1].Steps} steps, peak {found[^1].PeakMemoryMiB:N0} MiB");
        }
        for (int round = 1; round <= Rounds; round++)
        {
            foreach ((int tokens, int workers) in ListPlans(workload, children.Threads, found))
            {
                string[] arguments = [HiddenCommands.FixedPlan, workload.Name, tokens.ToString(CultureInfo.InvariantCulture), workers.ToString(CultureInfo.InvariantCulture)];
                measured.Add(await children.RunSelf<PlanResult>($"{tokens} tokens by {workers} on {workload.Name}", arguments, cancellation));
                log($"{workload.Name} round {round} of {Rounds}: {Describe(measured[^1])}, {1 / measured[^1].SecondsPerPosition:N0} tokens/s, peak {measured[^1].PeakMemoryMiB:N0} MiB");
            }
        }
        PlanResult[] plans = [.. measured.GroupBy(plan => (plan.Tokens, plan.Workers)).Select(Sum)];
        return new TunerReport(workload.Name, plans, found, found.Max(start => 1 - Fastest(plans) / TimeOf(start, plans)));
    }

    /// <summary>Writes it as a table.</summary>
    /// <param name="console">Where to.</param>
    public void Write(IAnsiConsole console)
    {
        Table table = new Table().AddColumn("split").AddColumn(new TableColumn("tokens/s").RightAligned()).AddColumn(new TableColumn("slower than the fastest").RightAligned())
            .AddColumn(new TableColumn("peak memory MiB").RightAligned()).AddColumn(new TableColumn("starts that end there").RightAligned());
        foreach (PlanResult plan in Fixed.OrderBy(plan => plan.SecondsPerPosition))
        {
            int starts = Starts.Count(start => (start.Tokens, start.Workers) == (plan.Tokens, plan.Workers));
            table.AddRow(Describe(plan), (1 / plan.SecondsPerPosition).ToString("N0"), (1 - Fastest(Fixed) / plan.SecondsPerPosition).ToString("P1"), plan.PeakMemoryMiB.ToString("N0"), $"{starts}");
        }
        console.Write(table);
        console.WriteLine($"{Workload}: {Starts.Count(start => Fastest(Fixed) / TimeOf(start, Fixed) >= 0.95)} of {Starts.Count} starts end within 5 percent of the fastest fixed split, the worst {LargestLoss:P1} below it; "
            + $"trials took {Figure.Of(Starts.Select(start => (double)start.Steps)).ToString("N0")} steps and a peak of {Figure.Of(Starts.Select(start => start.PeakMemoryMiB)).ToString("N0")} MiB.");
    }

    // Doublings of the fewest tokens that a start found, and what other starts found.
    private static IEnumerable<(int Tokens, int Workers)> ListPlans(Workload workload, int threads, List<PlanResult> found)
    {
        int longest = workload.DrawBatches()[0].Max(row => row.Length - 1), whole = workload.DrawBatches().Max(batch => batch.Sum(row => row.Length - 1));
        SortedSet<(int, int)> plans = [.. found.Select(start => (start.Tokens, start.Workers))];
        for (int workers = 1; workers <= threads; workers = Math.Max(workers + 1, Math.Min(workers * 2, threads)))
        {
            for (int tokens = Math.Max(128, longest); tokens * workers < 2 * whole; tokens *= 2)
                plans.Add((tokens, workers));
        }
        return plans;
    }

    private static PlanResult Sum(IEnumerable<PlanResult> rounds) => rounds.First() with
    {
        SecondsPerPosition = rounds.Min(round => round.SecondsPerPosition),    // what else the machine does makes a round slower, never faster
        PeakMemoryMiB = Figure.Of(rounds.Select(round => round.PeakMemoryMiB)).Median,
    };

    private static double Fastest(IReadOnlyList<PlanResult> plans) => plans.Min(plan => plan.SecondsPerPosition);

    private static double TimeOf(PlanResult start, IReadOnlyList<PlanResult> plans) => plans.Single(plan => (plan.Tokens, plan.Workers) == (start.Tokens, start.Workers)).SecondsPerPosition;

    private static string Describe(PlanResult plan) => $"{plan.Tokens} tokens by {plan.Workers}";
}
