using System.Diagnostics.Metrics;

namespace MLNetExtension.Training.Reports;

/// <summary>What a training reports to .NET's metrics: <c>dotnet-counters monitor --counters MLNetExtension</c> shows it, OpenTelemetry exports it.</summary>
/// <remarks>Units are UCUM's, as OpenTelemetry asks; nats have none there and stand in braces, as counts do.</remarks>
internal static class TrainingInstruments
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "MLNetExtension";

    private static readonly Meter Meter = new(MeterName, typeof(TrainingInstruments).Assembly.GetName().Version?.ToString(3));

    private static readonly Gauge<double> Loss =
        Meter.CreateGauge<double>("mlnetextension.training.loss", "{nat}", "Loss of the last optimizer step's batch, per target token.");

    private static readonly Gauge<double> ValidationLoss =
        Meter.CreateGauge<double>("mlnetextension.training.validation_loss", "{nat}", "Loss on the validation rows when last measured, per target token.");

    private static readonly Gauge<double> RewardMargin =
        Meter.CreateGauge<double>("mlnetextension.training.reward_margin", "1", "How much higher the last batch's chosen completions were rewarded than the rejected ones.");

    private static readonly Gauge<double> GradientNorm =
        Meter.CreateGauge<double>("mlnetextension.training.gradient_norm", "1", "L2 norm of the last batch's gradient, before clipping.");

    private static readonly Gauge<double> LearningRate =
        Meter.CreateGauge<double>("mlnetextension.training.learning_rate", "1", "Learning rate of the last optimizer step.");

    private static readonly Counter<long> TargetTokens =
        Meter.CreateCounter<long>("mlnetextension.training.target_tokens", "{token}", "Target tokens trained on; padding and prompts are not counted.");

    private static readonly Counter<long> Rows = Meter.CreateCounter<long>("mlnetextension.training.rows", "{row}", "Rows trained on, counted in every epoch.");

    private static readonly Histogram<double> StepDuration =
        Meter.CreateHistogram<double>("mlnetextension.training.step.duration", "s", "Duration of an optimizer step, from its first micro-batch to the update of the weights.");

    private static readonly Gauge<double> FlopUtilization =
        Meter.CreateGauge<double>("mlnetextension.training.flop_utilization", "1", "Model floating-point operations of the last optimizer step by what the measured matrix peak allows.");

    private static readonly Gauge<double> Memory =
        Meter.CreateGauge<double>("mlnetextension.training.memory", "By", "Physical memory of the process.");

    private static readonly Gauge<double> DeviceMemory =
        Meter.CreateGauge<double>("mlnetextension.training.device_memory", "By", "Memory in use on the GPU, of all programs.");

    /// <summary>Records a step; costs next to nothing where nobody listens.</summary>
    public static void Record(StepReport step)
    {
        if (step.Outcome != StepOutcome.NoTargets)
        {
            Loss.Record(step.Loss);
            GradientNorm.Record(step.GradientNorm);
        }
        if (step.Preference is { } rewards)
            RewardMargin.Record(rewards.RewardMargin);
        if (step.ValidationLoss is { } loss)
            ValidationLoss.Record(loss);
        if (step.ModelFlopUtilization is { } utilization)
            FlopUtilization.Record(utilization);
        Memory.Record(step.Memory.ResidentMiB * (1 << 20));
        if (step.Memory.DeviceMiB is { } device)
            DeviceMemory.Record(device * (1 << 20));
        LearningRate.Record(step.LearningRate);
        TargetTokens.Add(step.TargetTokens);
        Rows.Add(step.Rows);
        StepDuration.Record(step.StepTime.TotalSeconds);
    }
}
