using FsCheck;
using FsCheck.Fluent;
using MLNetExtension.Training.Optimization;

namespace MLNetExtension.Tests.Training.Optimization;

[TestClass]
public sealed class SchedulePropertyTests
{
    // Seen to fail with: progress not clamped; a warm-up that begins at 0 (its first step would change nothing) or lasts a step longer.
    [TestMethod]
    public void A_learning_rate_is_above_zero_in_the_warm_up_and_from_minimum_to_peak_after_it_falling_all_the_way() => Prop.ForAll(
        (from peak in Gen.Choose(1, 1000)
         from minimum in Gen.Choose(0, peak)
         from warmup in Gen.Choose(0, 20)
         from step in Gen.Choose(0, 40)
         from progress in Gen.Choose(0, 120)
         select (Peak: peak / 1e5, Minimum: minimum / 1e5, Warmup: warmup, Step: step, Progress: progress / 100.0)).ToArbitrary(),
        draw =>
        {
            LearningRateSchedule schedule = new(draw.Peak, draw.Minimum, draw.Warmup);
            double rate = schedule.LearningRate(draw.Step, draw.Progress), later = schedule.LearningRate(draw.Step, draw.Progress + 0.01);
            double full = schedule.LearningRate(draw.Warmup, draw.Progress);
            bool within = full >= draw.Minimum - 1e-15 && full <= draw.Peak + 1e-15 && later <= rate + 1e-15;
            return within && (draw.Step >= draw.Warmup ? rate == full : (rate > 0 || full == 0) && Math.Abs(rate - full * (draw.Step + 1) / (draw.Warmup + 1)) < 1e-15);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(20261126, 1));
}
