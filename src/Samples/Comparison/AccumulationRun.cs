using MLNetExtension.Training.Accumulation;

namespace Samples.Comparison;

/// <summary>How one policy and one cut fared against the full batch.</summary>
internal sealed record AccumulationRun
{
    // A single window of ragged rows is noisy.
    private const int LastWindows = 10;

    /// <summary>What the accumulated gradient was divided by.</summary>
    public required LossNormalization Normalization { get; init; }

    /// <summary>How each window was cut.</summary>
    public required BatchSplit Cut { get; init; }

    /// <summary>
    /// L2 distance of the first window's gradient from that of the full batch, both at the starting weights, relative to the latter's norm.
    /// Under <see cref="LossNormalization.Sum"/> it is N - 1, N being the window's targets: that gradient is N times the full batch's.
    /// </summary>
    public required double GradientRelativeError { get; init; }

    /// <summary>What each step's window came to, before its update.</summary>
    public required IReadOnlyList<BatchLoss> Windows { get; init; }

    /// <summary>L2 distance of the weights from those of the full batch's run, relative to the latter's norm, after each step.</summary>
    public required IReadOnlyList<double> WeightDistances { get; init; }

    /// <summary>Loss of each step's window in nats per target token, whatever the policy, before its update.</summary>
    public IReadOnlyList<double> Losses => [.. Windows.Select(window => window.Mean)];

    /// <summary>Loss over the last ten windows, or all where there are fewer, in nats per target token.</summary>
    public double Loss => Windows.TakeLast(LastWindows).Sum(window => window.Sum) / Windows.TakeLast(LastWindows).Sum(window => window.TargetCount);

    /// <summary>The last of <see cref="WeightDistances"/>.</summary>
    public double WeightDistance => WeightDistances[^1];
}

/// <summary>How far a comparison has come.</summary>
/// <param name="Step">The step that every run has just taken, from 1.</param>
/// <param name="Steps">Steps in all.</param>
/// <param name="Loss">Loss of the full batch's run on this step's window, in nats per target token.</param>
/// <param name="Elapsed">Time since the comparison began.</param>
internal readonly record struct AccumulationProgress(int Step, int Steps, double Loss, TimeSpan Elapsed);
