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
        LearningRateSchedule schedule = Create(ScheduleShape.Cosine, Peak, 0, warmup);
        for (int step = 0; step < total; step++)
            Assert.AreEqual(Peak * HuggingFace(step < warmup ? step + 1 : step, warmup, total), schedule.LearningRate(step, (double)step / total), 1e-12 * Peak, $"step {step}");
    }

    // Hugging Face's first step has a rate of 0 and changes nothing.
    [TestMethod]
    public void The_first_step_has_a_rate_the_last_of_the_warm_up_the_peak_and_the_end_the_floor()
    {
        LearningRateSchedule schedule = Create(ScheduleShape.Cosine, 1, 0.1, 4);
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
        LearningRateSchedule schedule = Create(ScheduleShape.Cosine, Peak, 0.1, 30);
        double[] progress = [.. Enumerable.Range(0, 100).Select(step => step < 50 ? step / 200.0 : 0.25 + (step - 50) * 0.015)];
        double[] rates = [.. progress.Select((done, step) => schedule.LearningRate(step, done))];

        Assert.AreEqual(Peak, rates[29], 1e-15);
        Assert.AreEqual(Peak, rates[30], 1e-15);
        for (int step = 31; step < 100; step++)
            Assert.IsTrue(rates[step] < rates[step - 1] && rates[step] >= Peak / 10, $"step {step}");
        Assert.IsGreaterThan(0.99 * Peak, rates[31]);
        Assert.AreEqual(Peak / 10, schedule.LearningRate(100, 1), 1e-15);
    }

    // linear, constant_with_warmup, warmup_stable_decay (linear, without a floor) and inverse_sqrt of the same file; its inverse square root is shifted so that it is at the peak at the end of the warm-up.
    [TestMethod]
    [DataRow(ScheduleShape.Linear)]
    [DataRow(ScheduleShape.Constant)]
    [DataRow(ScheduleShape.WarmupStableDecay)]
    [DataRow(ScheduleShape.InverseSquareRoot)]
    public void The_other_shapes_are_Hugging_Faces_after_the_warm_up(ScheduleShape shape)
    {
        const int Warmup = 10, Total = 100, Decay = 20;
        LearningRateSchedule schedule = Create(shape, Peak, 0, Warmup);
        for (int step = Warmup; step < Total; step++)
        {
            double expected = shape switch
            {
                ScheduleShape.Linear => Math.Max(0, (Total - step) / (double)(Total - Warmup)),
                ScheduleShape.Constant => 1,
                ScheduleShape.WarmupStableDecay => step < Total - Decay ? 1 : 1 - (step - (Total - Decay)) / (double)Decay,
                _ => 1 / Math.Sqrt((step + 1) / (double)Warmup),     // of the step counted from 1, as in the warm-up
            };
            Assert.AreEqual(Peak * expected, schedule.LearningRate(step, step / (double)Total), 1e-12 * Peak, $"step {step}");
        }
        Assert.AreEqual(Peak / Warmup, schedule.LearningRate(0, 0), 1e-15, "every shape rises alike");
        Assert.AreEqual(Peak, schedule.LearningRate(Warmup - 1, (Warmup - 1) / (double)Total), 1e-15);
    }

    // The floor is a share of the peak, and no shape goes below it.
    [TestMethod]
    [DataRow(ScheduleShape.Cosine)]
    [DataRow(ScheduleShape.Linear)]
    [DataRow(ScheduleShape.WarmupStableDecay)]
    [DataRow(ScheduleShape.InverseSquareRoot)]
    public void A_shape_ends_at_the_floor(ScheduleShape shape)
    {
        LearningRateSchedule schedule = Create(shape, Peak, 0.25, 1);
        Assert.AreEqual(Peak / 4, schedule.LearningRate(1000, 1), 1e-15);
    }

    [TestMethod]
    public void A_warm_up_may_be_a_share_of_the_steps_or_of_the_time()
    {
        ScheduleOptions options = new() { WarmupShare = 0.1, Shape = ScheduleShape.Linear, MinimumLearningRateRatio = 0 };
        LearningRateSchedule ofSteps = new(options, 1, 200), ofTime = new(options, 1, null);
        Assert.AreEqual(0.5, ofSteps.LearningRate(9, 9 / 200.0), 1e-15);
        Assert.AreEqual(1, ofSteps.LearningRate(19, 19 / 200.0), 1e-15);
        Assert.AreEqual(0.5, ofSteps.LearningRate(110, 110 / 200.0), 1e-15);
        Assert.AreEqual(0.5, ofTime.LearningRate(3, 0.05), 1e-15);
        Assert.AreEqual(1, ofTime.LearningRate(7, 0.1), 1e-15);
        Assert.AreEqual(0.5, ofTime.LearningRate(70, 0.55), 1e-15);
        Assert.AreEqual(0, ofTime.LearningRate(200, 1), 1e-15);
    }

    private static LearningRateSchedule Create(ScheduleShape shape, double peak, double ratio, int warmup) => new(new() { Shape = shape, MinimumLearningRateRatio = ratio, WarmupSteps = warmup }, peak, null);

    private static double HuggingFace(int step, int warmup, int total)
    {
        if (step < warmup)
            return (double)step / Math.Max(1, warmup);
        double progress = (double)(step - warmup) / Math.Max(1, total - warmup);
        return Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * 0.5 * 2 * progress)));
    }
}
