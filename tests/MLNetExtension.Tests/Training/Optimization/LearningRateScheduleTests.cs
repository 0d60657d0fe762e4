using MLNetExtension.Training.Optimization;

namespace MLNetExtension.Tests.Training.Optimization;

/// <summary>Against <c>get_cosine_schedule_with_warmup</c> of Hugging Face's transformers, written out from its <c>optimization.py</c>.</summary>
[TestClass]
public sealed class LearningRateScheduleTests
{
    private const double Peak = 3e-3;

    // Seen to fail with: a warm-up that lasts a step longer and into which the decay runs (0.0006 for 0.00075 in the first step).
    [TestMethod]
    [DataRow(0, 20)]
    [DataRow(1, 20)]
    [DataRow(4, 100)]
    [DataRow(50, 51)]
    [DataRow(50, 50)]
    [DataRow(50, 20)]
    public void After_the_warm_up_every_rate_is_Hugging_Faces_and_in_it_the_next_steps(int warmup, int total)
    {
        LearningRateSchedule schedule = new(Peak, minimum: 0, warmup);
        for (int step = 0; step < total; step++)
            Assert.AreEqual(Peak * HuggingFace(step < warmup ? step + 1 : step, warmup, total), schedule.LearningRate(step, (double)step / total), 1e-12 * Peak, $"step {step}");
    }

    // Hugging Face's first step has a rate of 0 and changes nothing.
    [TestMethod]
    public void The_first_step_has_a_rate_the_last_of_the_warm_up_the_peak_and_the_end_the_floor()
    {
        LearningRateSchedule schedule = new(peak: 1, minimum: 0.1, warmupSteps: 4);
        Assert.AreEqual(0.25, schedule.LearningRate(0, 0), 1e-15);
        Assert.AreEqual(0.75, schedule.LearningRate(2, 0.02), 1e-15);
        Assert.AreEqual(1, schedule.LearningRate(3, 0.03), 1e-15);
        Assert.AreEqual(1, schedule.LearningRate(4, 0.04), 1e-15);
        Assert.AreEqual(0.55, schedule.LearningRate(52, 0.52), 1e-15);
        Assert.AreEqual(0.1, schedule.LearningRate(100, 1), 1e-15);
        Assert.AreEqual(0.1, schedule.LearningRate(120, 1.5), 1e-15);
    }

    // Where time is the limit the number of steps is not known. Steps that all take as long give the rates that they have where it is; slower ones, as here the second half, a decay that still begins at the peak
    // and ends at the floor with the time.
    [TestMethod]
    public void Where_time_is_the_limit_decay_begins_at_the_end_of_the_warm_up_and_ends_with_the_time()
    {
        LearningRateSchedule schedule = new(Peak, minimum: Peak / 10, warmupSteps: 30);
        double[] progress = [.. Enumerable.Range(0, 100).Select(step => step < 50 ? step / 200.0 : 0.25 + (step - 50) * 0.015)];
        double[] rates = [.. progress.Select((done, step) => schedule.LearningRate(step, done))];

        Assert.AreEqual(Peak, rates[29], 1e-15);
        Assert.AreEqual(Peak, rates[30], 1e-15);
        for (int step = 31; step < 100; step++)
            Assert.IsTrue(rates[step] < rates[step - 1] && rates[step] >= Peak / 10, $"step {step}");
        Assert.IsGreaterThan(0.99 * Peak, rates[31]);
        Assert.AreEqual(Peak / 10, schedule.LearningRate(100, 1), 1e-15);
    }

    private static double HuggingFace(int step, int warmup, int total)
    {
        if (step < warmup)
            return (double)step / Math.Max(1, warmup);
        double progress = (double)(step - warmup) / Math.Max(1, total - warmup);
        return Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * 0.5 * 2 * progress)));
    }
}
