using MLNetExtension.Training.Reports;
using TorchSharp;

namespace Samples.Reporting;

/// <summary>Writes the steps of a training as an event file for TensorBoard.</summary>
internal static class TensorBoardEvents
{
    public const string FilePrefix = "events.out.tfevents";

    /// <summary>
    /// Writes the figures of every step, what its batch held (rows, target tokens, their summed weights, the place in a curriculum), validation losses, generated texts and checkpoints where there were any, and the held-out
    /// bits per byte before and after.
    /// </summary>
    public static void Write(string folder, TrainingCurve curve, MetricsReport before, MetricsReport? after)
    {
        var writer = torch.utils.tensorboard.SummaryWriter(folder);
        foreach (CurvePoint point in curve.Points)
        {
            (int step, long time) = (point.Report.Step, TimeOf(point));
            foreach ((string tag, double value) in Scalars(point).Concat(Control(point.Report)))
                writer.add_scalar(tag, (float)value, step, time);
            foreach ((int i, GeneratedSample sample) in point.Report.Samples.Index())
                writer.add_text($"samples/{i + 1}", $"**{sample.Prompt.Trim()}** {sample.Text.Trim()}", step, time);
        }
        writer.add_scalar("held-out/bits_per_byte", (float)before.BitsPerByte, 0, curve.Started.ToUnixTimeSeconds());
        if (after is null)
            return;
        (int last, long end) = curve.Points is [.., { } final] ? (final.Report.Step, TimeOf(final)) : (0, curve.Started.ToUnixTimeSeconds());
        writer.add_scalar("held-out/bits_per_byte", (float)after.BitsPerByte, last, end);

        long TimeOf(CurvePoint point) => (curve.Started + point.Report.Elapsed).ToUnixTimeSeconds();
    }

    private static IEnumerable<(string Tag, double Value)> Scalars(CurvePoint point)
    {
        StepReport step = point.Report;
        yield return ("train/loss", step.Loss);
        yield return ("train/learning_rate", step.LearningRate);
        yield return ("train/gradient_norm", step.GradientNorm);
        yield return ("train/tokens_per_second", point.Recent.TokensPerSecond);
        yield return ("train/padding_share", step.PaddingShare);
        yield return ("memory/resident_mib", step.Memory.ResidentMiB);
        if (step.Memory.DeviceMiB is { } device)
            yield return ("memory/device_mib", device);
        if (point.Recent.Utilization is { } utilization)
            yield return ("train/model_flop_utilization", utilization);
    }

    private static IEnumerable<(string Tag, double Value)> Control(StepReport step)
    {
        yield return ("batch/rows", step.Rows);
        yield return ("batch/target_tokens", step.TargetTokens);
        yield return ("batch/target_weight", step.TargetWeight);
        if (step.OrderValue is { } value)
            yield return ("batch/order_value", value);
        if (step.ValidationLoss is { } loss)
            yield return ("validation/loss", loss);
        if (step.HasCheckpoint)
            yield return ("checkpoint/step", step.Step);
    }

    /// <summary>Writes loss, accuracy, rewards and tokens per second of every step of a training on preferences, and the accuracy on held-out pairs before and after.</summary>
    public static void Write(string folder, IReadOnlyList<StepReport> steps, PreferReport report)
    {
        DateTimeOffset started = DateTimeOffset.Now - TimeSpan.FromSeconds(report.TrainingSeconds);
        var writer = torch.utils.tensorboard.SummaryWriter(folder);
        foreach (StepReport step in steps)
        {
            long time = (started + step.Elapsed).ToUnixTimeSeconds();
            writer.add_scalar("train/loss", (float)step.Loss, step.Step, time);
            writer.add_scalar("train/learning_rate", (float)step.LearningRate, step.Step, time);
            writer.add_scalar("train/tokens_per_second", (float)step.TokensPerSecond, step.Step, time);
            writer.add_scalar("preference/accuracy", (float)step.Accuracy, step.Step, time);
            if (step.Preference is not { } rewards)
                continue;
            writer.add_scalar("preference/reward_margin", (float)rewards.RewardMargin, step.Step, time);
            writer.add_scalar("preference/chosen_reward", (float)rewards.ChosenReward, step.Step, time);
            writer.add_scalar("preference/rejected_reward", (float)rewards.RejectedReward, step.Step, time);
        }
        writer.add_scalar("held-out/accuracy", (float)report.Before.Accuracy, 0, started.ToUnixTimeSeconds());
        writer.add_scalar("held-out/accuracy", (float)report.After.Accuracy, report.Steps, DateTimeOffset.Now.ToUnixTimeSeconds());
    }
}
