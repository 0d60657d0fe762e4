using System.Diagnostics.Metrics;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Tests.Training.Reports;

[TestClass]
public sealed class TrainingInstrumentsTests
{
    [TestMethod]
    public void A_listener_hears_of_every_step_what_the_reports_say()
    {
        Dictionary<string, (string? Unit, List<double> Values)> heard = [];
        // Other tests train meanwhile; measurements come on the thread that trains.
        int thread = Environment.CurrentManagedThreadId;
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == "MLNetExtension")
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => Hear(instrument, value));
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => Hear(instrument, value));
        listener.Start();

        List<StepReport> steps = [];
        using Gpt2Model model = Ragged.Model();
        TrainingRun run = new(model, [.. Ragged.Examples(4), Ragged.WithoutTargets(3)], new TrainingOptions { BatchSize = 1, MaximumEpochs = 1 }, Seed: 1);
        TrainingLoop.Run(run with { OnStep = steps.Add, MatrixPeak = 1e9, Validation = new Validation(_ => (1.25, 1), interval: 2) });
        listener.Dispose();

        StepReport[] applied = [.. steps.Where(step => step.Outcome == StepOutcome.Applied)];
        Assert.HasCount(5, steps);
        Assert.HasCount(4, applied);
        Expect("mlnetextension.training.loss", "{nat}", applied.Select(step => step.Loss));
        Expect("mlnetextension.training.gradient_norm", "1", applied.Select(step => step.GradientNorm));
        Expect("mlnetextension.training.validation_loss", "{nat}", [1.25, 1.25, 1.25]);
        Expect("mlnetextension.training.learning_rate", "1", steps.Select(step => step.LearningRate));
        Expect("mlnetextension.training.target_tokens", "{token}", steps.Select(step => (double)step.TargetTokens));
        Expect("mlnetextension.training.flop_utilization", "1", steps.Select(step => step.ModelFlopUtilization!.Value));
        Expect("mlnetextension.training.memory", "By", steps.Select(step => step.Memory.ResidentMiB * (1 << 20)));
        Expect("mlnetextension.training.step.duration", "s", steps.Select(step => step.StepTime.TotalSeconds));
        Expect("mlnetextension.training.rows", "{row}", steps.Select(step => (double)step.Rows));
        Assert.HasCount(9, heard);

        void Hear(Instrument instrument, double value)
        {
            if (Environment.CurrentManagedThreadId != thread)
                return;
            Assert.IsFalse(string.IsNullOrEmpty(instrument.Description));
            if (!heard.TryGetValue(instrument.Name, out var measured))
                heard[instrument.Name] = measured = (instrument.Unit, []);
            measured.Values.Add(value);
        }

        void Expect(string name, string unit, IEnumerable<double> values)
        {
            Assert.AreEqual(unit, heard[name].Unit);
            CollectionAssert.AreEqual(values.ToArray(), heard[name].Values, name);
        }
    }
}
