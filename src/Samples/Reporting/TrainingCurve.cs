using MLNetExtension.Training.Reports;

namespace Samples.Reporting;

/// <summary>The figures of one optimizer step.</summary>
internal readonly record struct CurvePoint(int Step, double Seconds, double Loss, double Smoothed, double LearningRate, double GradientNorm, double TokensPerSecond);

/// <summary>Collects the steps of a training and smooths their loss.</summary>
internal sealed class TrainingCurve
{
    // Half of the smoothed loss comes from about the last 7 steps: batches of few rows are noisy.
    private const double Decay = 0.9;
    private readonly List<CurvePoint> _points = [];
    private double _sum, _weight;

    /// <summary>When training started.</summary>
    public DateTimeOffset Started { get; } = DateTimeOffset.Now;

    /// <summary>The steps so far.</summary>
    public IReadOnlyList<CurvePoint> Points => _points;

    /// <summary>Adds a step, unless its loss or gradient norm is not finite.</summary>
    public void Add(StepReport step)
    {
        if (!double.IsFinite(step.Loss) || !double.IsFinite(step.GradientNorm))
            return;
        _sum = Decay * _sum + (1 - Decay) * step.Loss;
        _weight = Decay * _weight + (1 - Decay);  // corrects the bias of the first steps towards zero
        _points.Add(new CurvePoint(step.Step, step.Elapsed.TotalSeconds, step.Loss, _sum / _weight, step.LearningRate, step.GradientNorm, step.TokensPerSecond));
    }
}
