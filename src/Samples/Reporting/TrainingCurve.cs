using MLNetExtension.Training.Reports;

namespace Samples.Reporting;

/// <summary>The figures of one step that are drawn.</summary>
internal readonly record struct CurvePoint(int Step, double Seconds, double Loss, double Smoothed, double LearningRate, double GradientNorm, double TokensPerSecond);

/// <summary>Collects the steps of a training, with a smoothed loss beside each.</summary>
internal sealed class TrainingCurve
{
    // Half of the smoothed loss comes from about the last 7 steps: windows of few rows are noisy.
    private const double Decay = 0.9;
    private readonly List<CurvePoint> _points = [];
    private double _sum, _weight;

    public IReadOnlyList<CurvePoint> Points => _points;

    /// <summary>Adds a step; one without a finite loss adds nothing.</summary>
    public void Add(StepReport step)
    {
        if (!double.IsFinite(step.Loss) || !double.IsFinite(step.GradientNorm))
            return;
        _sum = Decay * _sum + (1 - Decay) * step.Loss;
        _weight = Decay * _weight + (1 - Decay);  // what is missing at the start, so that the first steps are not pulled to zero
        _points.Add(new CurvePoint(step.Step, step.Elapsed.TotalSeconds, step.Loss, _sum / _weight, step.LearningRate, step.GradientNorm, step.TokensPerSecond));
    }
}
