using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;

namespace MLNetExtension.Tests.Training.Resume;

[TestClass]
public sealed class ResumedTimeTests
{
    // Meant to fail with: the clock started anew, so that a training limited in time could be prolonged by stopping it.
    [TestMethod]
    public void Time_spent_before_a_resume_counts_towards_the_limit()
    {
        using Gpt2Model model = Ragged.Model();
        using TrainingState state = new() { Elapsed = TimeSpan.FromMinutes(40) };
        Assert.AreEqual(0, TrainingLoop.Run(model, Ragged.Examples(4), new TrainingOptions { MaximumDuration = TimeSpan.FromMinutes(30) }, seed: 1, state: state).Steps);

        List<StepReport> steps = [];
        TrainingLoop.Run(model, Ragged.Examples(4), new TrainingOptions { MaximumDuration = TimeSpan.FromMinutes(80), MaximumSteps = 1 }, seed: 1, steps.Add, state: state);
        Assert.IsGreaterThan(TimeSpan.FromMinutes(40), steps[0].Elapsed);
        Assert.AreEqual(steps[0].Elapsed, state.Elapsed);
    }
}
