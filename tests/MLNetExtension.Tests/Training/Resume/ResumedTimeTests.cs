using System.Text.Json;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;

namespace MLNetExtension.Tests.Training.Resume;

[TestClass]
public sealed class ResumedTimeTests
{
    // The clock goes on from the checkpoint: if it started at 0, a training limited in time could be prolonged by stopping it.
    [TestMethod]
    public void Time_spent_before_a_resume_counts_towards_the_limit()
    {
        using TemporaryFolder folder = new();
        Train(minutes: 30, steps: 1);
        SetElapsed(folder, TimeSpan.FromMinutes(40));
        Assert.IsEmpty(Train(minutes: 30, steps: 2));

        List<StepReport> steps = Train(minutes: 80, steps: 2);
        Assert.IsGreaterThan(TimeSpan.FromMinutes(40), steps[0].Elapsed);
        Assert.AreEqual(steps[0].Elapsed, ReadState(folder).Elapsed);

        List<StepReport> Train(int minutes, int steps)
        {
            using Gpt2Model model = Ragged.Model();
            TrainingOptions options = new() { MaximumDuration = TimeSpan.FromMinutes(minutes), MaximumSteps = steps };
            List<StepReport> reports = [];
            using CheckpointFolder opened = CheckpointFolder.Open(folder.Path);
            CheckpointManager checkpoints = new(opened, interval: 1, new Dictionary<string, string>());
            TrainingSummary summary = TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(4), options, Seed: 1) { OnStep = reports.Add, Checkpoints = checkpoints });
            Assert.HasCount(summary.Steps, reports);
            return reports;
        }
    }

    private static CheckpointMetadata ReadState(TemporaryFolder folder)
    {
        using CheckpointFolder opened = CheckpointFolder.Open(folder.Path);
        return opened.NewestState!;
    }

    private static void SetElapsed(TemporaryFolder folder, TimeSpan elapsed)
    {
        using CheckpointFolder opened = CheckpointFolder.Open(folder.Path);
        CheckpointMetadata state = opened.NewestState! with { Elapsed = elapsed };
        using MemoryStream tensors = new();
        opened.Newest!.Read("tensors.safetensors", (stream, _) => stream.CopyTo(tensors));
        opened.Write(state.Steps, [("tensors.safetensors", stream => stream.Write(tensors.ToArray())), ("state.json", stream => JsonSerializer.Serialize(stream, state))], _ => true);
    }
}
