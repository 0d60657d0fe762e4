using TorchSharp;

namespace Samples.Reporting;

/// <summary>Writes the steps of a training as an event file for TensorBoard.</summary>
internal static class TensorBoardEvents
{
    public const string FilePrefix = "events.out.tfevents";

    /// <summary>
    /// Writes loss, learning rate, gradient norm and tokens per second of every step, what its batch held (rows, target tokens, their summed weights, the place in a curriculum), the validation loss and the
    /// checkpoints where there were any, and the held-out bits per byte before and after.
    /// </summary>
    public static void Write(string folder, IReadOnlyList<CurvePoint> curve, DateTimeOffset started, MetricsReport before, MetricsReport? after)
    {
        var writer = torch.utils.tensorboard.SummaryWriter(folder);
        foreach (CurvePoint point in curve)
        {
            long time = started.AddSeconds(point.Seconds).ToUnixTimeSeconds();
            writer.add_scalar("train/loss", (float)point.Loss, point.Step, time);
            writer.add_scalar("train/learning_rate", (float)point.LearningRate, point.Step, time);
            writer.add_scalar("train/gradient_norm", (float)point.GradientNorm, point.Step, time);
            writer.add_scalar("train/tokens_per_second", (float)point.TokensPerSecond, point.Step, time);
            foreach ((string tag, double value) in Control(point))
                writer.add_scalar(tag, (float)value, point.Step, time);
        }
        long end = started.AddSeconds(curve.Count > 0 ? curve[^1].Seconds : 0).ToUnixTimeSeconds();
        writer.add_scalar("held-out/bits_per_byte", (float)before.BitsPerByte, 0, started.ToUnixTimeSeconds());
        if (after is not null)
            writer.add_scalar("held-out/bits_per_byte", (float)after.BitsPerByte, curve.Count > 0 ? curve[^1].Step : 0, end);
    }

    private static IEnumerable<(string Tag, double Value)> Control(CurvePoint point)
    {
        if (point.Report is not { } step)
            yield break;
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
}
