using MLNetExtension.Training;
using MLNetExtension.Training.Optimization;

namespace MLNetExtension.Tests.Training.Optimization;

[TestClass]
public sealed class ScheduleOptionsTests
{
    [TestMethod]
    [DataRow(null, 10_000L, 50)]
    [DataRow(null, 500L, 50)]
    [DataRow(null, 70L, 7)]
    [DataRow(null, 9L, 0)]
    [DataRow(null, 0L, 0)]
    [DataRow(null, null, 50)]
    [DataRow(30, 60L, 30)]
    [DataRow(0, null, 0)]
    public void The_warm_up_is_what_is_set_or_a_tenth_of_the_steps_and_50_at_most(int? set, long? steps, int expected) =>
        Assert.AreEqual(expected, new ScheduleOptions { WarmupSteps = set }.GetWarmupSteps(steps));

    // The floor was a learning rate, and every rate below it was refused.
    [TestMethod]
    [DataRow(1e-4)]
    [DataRow(3e-3)]
    [DataRow(1e-300)]
    public void Every_learning_rate_works_with_every_floor(double learningRate)
    {
        foreach (double ratio in new[] { 0, 0.1, 1 })
        {
            TrainingOptions options = new() { LearningRate = learningRate, Schedule = new() { MinimumLearningRateRatio = ratio } };
            options.Validate();
            Assert.AreEqual(learningRate * ratio, options.MinimumLearningRate);
        }
    }
}
