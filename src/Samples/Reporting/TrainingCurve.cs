using MLNetExtension.Training.Reports;

namespace Samples.Reporting;

/// <summary>The figures of one optimizer step.</summary>
internal readonly record struct CurvePoint(int Step, double Seconds, double Loss, double Smoothed, double LearningRate, double GradientNorm, double TokensPerSecond)
{
    /// <summary>What the trainer said of the step; null where nobody has trained.</summary>
    public StepReport? Report { get; init; }
}

/// <summary>Collects the steps of a training, smooths their loss and shows the progress. Not a <see cref="Progress{T}"/>, which delivers reports later, on another thread.</summary>
internal sealed class TrainingCurve(Action<JobProgress> show) : IProgress<StepReport>
{
    // Half of the smoothed loss comes from about the last 7 steps: batches of few rows are noisy.
    private const double Decay = 0.9;
    private readonly List<CurvePoint> _points = [];
    private double _sum, _weight;

    /// <summary>When training started.</summary>
    public DateTimeOffset Started { get; } = DateTimeOffset.Now;

    /// <summary>The steps so far whose loss and gradient norm are finite.</summary>
    public IReadOnlyList<CurvePoint> Points => _points;

    public void Report(StepReport step)
    {
        if (double.IsFinite(step.Loss) && double.IsFinite(step.GradientNorm))
            Add(step);
        double smoothed = _points.Count > 0 ? _points[^1].Smoothed : double.NaN;
        string remaining = step.Remaining is { } time ? $"{(int)time.TotalMinutes}:{time.Seconds:00}" : "?";
        string figures = FormattableString.Invariant(
            $"step {step.Step}  loss {smoothed:0.000}  lr {step.LearningRate:0.00e-0}  |g| {step.GradientNorm:0.00}  {step.TokensPerSecond:N0} tokens/s  {remaining} left");
        show(new JobProgress(step.Progress, step.Elapsed, step.Outcome == StepOutcome.NonFinite ? figures + "  (not finite: skipped)" : figures));
    }

    private void Add(StepReport step)
    {
        _sum = Decay * _sum + (1 - Decay) * step.Loss;
        _weight = Decay * _weight + (1 - Decay);  // corrects the bias of the first steps towards zero
        _points.Add(new CurvePoint(step.Step, step.Elapsed.TotalSeconds, step.Loss, _sum / _weight, step.LearningRate, step.GradientNorm, step.TokensPerSecond) { Report = step });
    }
}
