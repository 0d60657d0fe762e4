using MLNetExtension.Training.Splitting;

namespace MLNetExtension.Tests.Training.Splitting;

/// <summary>Looks at the neighbors of the plan that was chosen, in long trainings on simulated machines.</summary>
[TestClass]
public sealed class NeighborLookTests
{
    private const int Seeds = 20, Steps = 2400, MostSteps = 60;

    private static readonly MachineModel _model = new() { SecondsPerMicroBatch = 0.02, LossPerSharedCore = 0.3, FixedMiB = 290, MiBPerPosition = 0.15, BufferMiB = 53 };

    // Seen to fail with: a new search in place of each look.
    [TestMethod]
    [DataRow(0.03)]
    [DataRow(0.1)]
    public void A_look_is_short_and_tries_neighbors_in_the_memory_that_there_was(double noise)
    {
        for (int seed = 0; seed < Seeds; seed++)
        {
            (SimulatedMachine machine, MicroBatchTuner tuner) = Start(_model, seed, noise);
            RunUntilChosen(machine, tuner);
            SplitPlan chosen = tuner.Choice!.Chosen.Plan;
            double before = machine.LargestFootprint;
            List<List<SplitPlan>> looks = Run(machine, tuner, Steps);

            Assert.IsGreaterThanOrEqualTo(4, looks.Count);
            foreach (List<SplitPlan> look in looks)
            {
                Assert.IsLessThanOrEqualTo(MostSteps, look.Count, $"seed {seed}");
                Assert.IsTrue(look.All(plan => IsNeighbor(plan, chosen)), $"seed {seed}, {chosen}: {string.Join(' ', look.Distinct())}");
            }
            Assert.AreEqual(before, machine.LargestFootprint, $"seed {seed}");
        }
    }

    // Seen to fail with: a neighbor that is better in 6 of 12 rounds (2, 5 and 12 of 20).
    [TestMethod]
    [DataRow(0.03)]
    [DataRow(0.05)]
    [DataRow(0.1)]
    public void On_a_machine_that_stays_the_plan_stays(double noise)
    {
        int changes = 0;
        for (int seed = 0; seed < Seeds; seed++)
        {
            (SimulatedMachine machine, MicroBatchTuner tuner) = Start(_model, seed, noise);
            RunUntilChosen(machine, tuner);
            SplitChoice chosen = tuner.Choice!;
            Run(machine, tuner, Steps);
            changes += tuner.Choice == chosen ? 0 : 1;
        }
        Console.WriteLine($"{changes} of {Seeds}");
        Assert.IsLessThanOrEqualTo(1, changes);
    }

    // By the smallest plan, while the look waits.
    [TestMethod]
    public void A_batch_that_does_not_fit_in_a_look_is_computed_all_the_same()
    {
        MachineModel model = new() { Cores = 8, SecondsPerMicroBatch = 0.01, LossPerSharedCore = 0.3, LossPerWorker = 0.02, BufferMiB = 1 };
        SimulatedMachine machine = new(model, seed: 1, limitMiB: 500);
        MicroBatchTuner tuner = new(new SplitPlan(2048, 1, 8, Pack: true), 8, model.BufferMiB);
        RunUntilChosen(machine, tuner);
        SplitPlan chosen = tuner.Choice!.Chosen.Plan;
        Assert.AreNotEqual(1, chosen.Workers);
        for (int step = 0; step < 1000; step++)
        {
            int[] rows = step % 3 == 0 ? [1200, .. machine.Draw()] : machine.Draw();
            SplitPlan plan = machine.Step(tuner, rows);
            Assert.IsTrue(rows[0] < 1200 || plan.Workers == 1, $"step {step}: {plan}");
        }
        Assert.AreEqual(chosen, tuner.Choice.Chosen.Plan);
    }

    // The caches get smaller: half the tokens are 15 percent faster then, and the time of a position grows by less than what starts a new search at once.
    [TestMethod]
    public void A_neighbor_that_became_better_is_found()
    {
        int found = 0, slower = 0;
        for (int seed = 0; seed < Seeds; seed++)
        {
            (SimulatedMachine machine, MicroBatchTuner tuner) = Start(_model, seed, noise: 0.05);
            RunUntilChosen(machine, tuner);
            if (tuner.Choice!.Chosen.Plan is not { Workers: 2, Tokens: > 300 })
                continue;
            slower++;
            machine.Model = _model with { Caches = (600, 0.2) };
            Run(machine, tuner, 700);
            found += tuner.Choice.Chosen.Plan is { Workers: 2, Tokens: < 300 } ? 1 : 0;
        }
        Console.WriteLine($"{found} of {slower}");
        Assert.IsGreaterThanOrEqualTo(10, slower);
        Assert.IsGreaterThanOrEqualTo(0.9 * slower, found);
    }

    private static (SimulatedMachine Machine, MicroBatchTuner Tuner) Start(MachineModel model, int seed, double noise) =>
        (new SimulatedMachine(model, seed) { Noise = noise, Drift = 0.05 }, new MicroBatchTuner(new SplitPlan(2048, 1, model.Cores, Pack: true), model.Cores, model.BufferMiB));

    private static void RunUntilChosen(SimulatedMachine machine, MicroBatchTuner tuner)
    {
        while (tuner.IsSearching)
            machine.Step(tuner, machine.Draw());
    }

    // The plans of the steps of each time that plans were tried.
    private static List<List<SplitPlan>> Run(SimulatedMachine machine, MicroBatchTuner tuner, int steps)
    {
        List<List<SplitPlan>> looks = [];
        bool wasSearching = false;
        for (int step = 0; step < steps || tuner.IsSearching; step++)
        {
            bool isSearching = tuner.IsSearching;
            if (isSearching && !wasSearching)
                looks.Add([]);
            SplitPlan plan = machine.Step(tuner, machine.Draw());
            if (isSearching)
                looks[^1].Add(plan);
            wasSearching = isSearching;
        }
        return looks;
    }

    private static bool IsNeighbor(SplitPlan plan, SplitPlan chosen) =>
        Math.Abs(Math.Log2((double)plan.Tokens / chosen.Tokens)) < 1.01 && Math.Abs(Math.Log2((double)plan.Workers / chosen.Workers)) < 1.01;
}
