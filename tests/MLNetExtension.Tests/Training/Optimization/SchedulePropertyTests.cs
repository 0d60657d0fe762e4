using FsCheck;
using FsCheck.Fluent;
using MLNetExtension.Training.Optimization;

namespace MLNetExtension.Tests.Training.Optimization;

[TestClass]
public sealed class SchedulePropertyTests
{
    // Any option and any step, the largest numbers of an int included.
    [TestMethod]
    public void A_learning_rate_is_never_negative_and_never_above_the_peak() => Prop.ForAll(
        (from shape in Gen.Elements(Enum.GetValues<ScheduleShape>())
         from peak in Gen.Elements(double.Epsilon, 1e-5, 3e-3, 1, 1e30)
         from ratio in Gen.Choose(0, 100)
         from warmup in Count
         from step in Count
         from progress in Gen.Elements(0, 1e-300, 1e-9, 0.3, 0.999999, 1, 1.5, double.MaxValue)
         select (Peak: peak, Options: new ScheduleOptions { Shape = shape, MinimumLearningRateRatio = ratio / 100.0, WarmupSteps = warmup }, Step: step, Progress: progress)).ToArbitrary(),
        draw =>
        {
            double rate = new LearningRateSchedule(draw.Options, draw.Peak, null).LearningRate(draw.Step, draw.Progress);
            return rate >= 0 && rate <= draw.Peak * (1 + 1e-15);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5000).WithReplay(20261126, 1));

    private static Gen<int> Count => Gen.OneOf(Gen.Choose(0, 20), Gen.Choose(int.MaxValue - 3, int.MaxValue), Gen.Choose(0, int.MaxValue));

    [TestMethod]
    public void A_learning_rate_rises_evenly_to_the_peak_in_the_warm_up_and_falls_from_there_to_the_floor() => Prop.ForAll(
        (from peak in Gen.Choose(1, 1000)
         from ratio in Gen.Choose(0, 100)
         from warmup in Gen.Choose(0, 20)
         from step in Gen.Choose(0, 40)
         from progress in Gen.Choose(0, 120)
         select (Peak: peak / 1e5, Ratio: ratio / 100.0, Warmup: warmup, Step: step, Progress: progress / 100.0)).ToArbitrary(),
        draw =>
        {
            LearningRateSchedule schedule = new(new() { MinimumLearningRateRatio = draw.Ratio, WarmupSteps = draw.Warmup }, draw.Peak, null);
            double minimum = draw.Peak * draw.Ratio;
            double rate = schedule.LearningRate(draw.Step, draw.Progress);
            if (draw.Step < draw.Warmup)
                return Math.Abs(rate - draw.Peak * (draw.Step + 1) / draw.Warmup) < 1e-15;
            double later = schedule.LearningRate(draw.Step, draw.Progress + 0.01), next = schedule.LearningRate(draw.Step + 1, draw.Progress);
            return rate >= minimum - 1e-15 && rate <= draw.Peak + 1e-15 && later <= rate + 1e-15 && next <= rate + 1e-15
                && (draw.Step > draw.Warmup || Math.Abs(rate - draw.Peak) < 1e-15) && (draw.Progress < 1 || draw.Step == draw.Warmup || Math.Abs(rate - minimum) < 1e-15);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(20261126, 1));
}
