using MLNetExtension.Training.Reports;

namespace Samples.Reporting;

/// <summary>An optimizer step, and what is smoothed over the steps before it.</summary>
internal readonly record struct CurvePoint(StepReport Report, double SmoothedLoss, RecentSteps Recent);

/// <summary>The figures of the last steps together: tokens by time, operations by time, the mean share of padding.</summary>
internal readonly record struct RecentSteps(double TokensPerSecond, double? Utilization, double PaddingShare)
{
    /// <summary>How many steps these are, at most.</summary>
    public const int Count = 20;

    /// <summary>Adds up steps, at least one.</summary>
    public static RecentSteps Of(IReadOnlyCollection<StepReport> steps)
    {
        double seconds = Math.Max(steps.Sum(step => step.StepTime.TotalSeconds), 1e-9);
        double? peak = steps.First().MatrixPeak;
        return new RecentSteps(steps.Sum(step => step.TargetTokens) / seconds, peak is null ? null : steps.Sum(step => step.ModelFlops) / seconds / peak, steps.Average(step => step.PaddingShare));
    }
}

/// <summary>Collects the steps of a training, smooths their figures and shows the progress. Not a <see cref="Progress{T}"/>, which delivers reports later, on another thread.</summary>
internal sealed class TrainingCurve(Action<JobProgress> show) : IProgress<StepReport>
{
    // Half of the smoothed loss comes from about the last 7 steps: batches of few rows are noisy.
    private const double Decay = 0.9;
    private readonly List<CurvePoint> _points = [];
    private readonly Queue<StepReport> _recent = [];
    private double _sum, _weight;

    /// <summary>When training started.</summary>
    public DateTimeOffset Started { get; } = DateTimeOffset.Now;

    /// <summary>What the model generated before its first step; empty where texts are not generated during training.</summary>
    public IReadOnlyList<GeneratedSample> FirstSamples { get; set; } = [];

    /// <summary>The steps so far whose loss and gradient norm are finite.</summary>
    public IReadOnlyList<CurvePoint> Points => _points;

    public void Report(StepReport step)
    {
        if (double.IsFinite(step.Loss) && double.IsFinite(step.GradientNorm))
            Add(step);
        CurvePoint? last = _points.Count > 0 ? _points[^1] : null;
        string remaining = step.Remaining is { } time ? $"{(int)time.TotalMinutes}:{time.Seconds:00}" : "?";
        string figures = FormattableString.Invariant(
            $"step {step.Step}  loss {last?.SmoothedLoss ?? double.NaN:0.000}  lr {step.LearningRate:0.00e-0}  |g| {step.GradientNorm:0.00}  {last?.Recent.TokensPerSecond ?? 0:N0} tokens/s  {remaining} left");
        show(new JobProgress(step.Progress, step.Elapsed, step.Outcome == StepOutcome.NonFinite ? figures + "  (not finite: skipped)" : figures));
    }

    private void Add(StepReport step)
    {
        _sum = Decay * _sum + (1 - Decay) * step.Loss;
        _weight = Decay * _weight + (1 - Decay);  // corrects the bias of the first steps towards zero
        _recent.Enqueue(step);
        if (_recent.Count > RecentSteps.Count)
            _recent.Dequeue();
        _points.Add(new CurvePoint(step, _sum / _weight, RecentSteps.Of(_recent)));
    }
}
