using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Samples.Comparison;

/// <summary>One of the trainings of a comparison: its own model, made from the same seed as the others'.</summary>
internal sealed class ComparedTraining : IDisposable
{
    private readonly LossNormalization _normalization;
    private readonly BatchSplit _cut;
    private readonly Gpt2Model _model;
    private readonly BatchGradient _gradient;
    private readonly AdamW _optimizer;
    private readonly List<BatchLoss> _windows = [];
    private readonly List<double> _weightDistances = [];
    private double _gradientRelativeError;

    public ComparedTraining(Gpt2Configuration configuration, AccumulationComparisonSettings settings, LossNormalization normalization, BatchSplit cut)
    {
        (_normalization, _cut) = (normalization, cut);
        _model = new Gpt2Model(configuration, settings.Seed);
        _model.to(settings.Precision == ComparisonPrecision.Float64 ? ScalarType.Float64 : ScalarType.Float32);
        _gradient = new BatchGradient(_model, new GradientSettings { Normalization = normalization });
        _optimizer = new AdamW(_gradient.Parameters);
    }

    /// <summary>Loss of the latest window in nats per target token.</summary>
    public double LastLoss => _windows[^1].Mean;

    /// <summary>Accumulates the gradient of a window, and compares that of the first with the full batch's.</summary>
    /// <param name="window">The examples of this step.</param>
    /// <param name="fullBatch">Has accumulated the same window, and not stepped yet.</param>
    public void Accumulate(TokenExample[] window, ComparedTraining fullBatch)
    {
        using var scope = NewDisposeScope();
        _windows.Add(_gradient.Accumulate([.. window.Chunk(_cut.RowsPerMicroBatch)]));
        if (_windows.Count == 1)
            _gradientRelativeError = RelativeDistance(_gradient.Parameters.Gradients, fullBatch._gradient.Parameters.Gradients);
    }

    /// <summary>Takes the step, makes ready for the next window, and compares the weights with the full batch's.</summary>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <param name="fullBatch">Has taken the same step.</param>
    public void Step(double learningRate, ComparedTraining fullBatch)
    {
        using var scope = NewDisposeScope();
        _optimizer.Step(learningRate);
        _gradient.Reset();
        _weightDistances.Add(RelativeDistance(_gradient.Parameters.Values, fullBatch._gradient.Parameters.Values));
    }

    /// <summary>What the training came to.</summary>
    public AccumulationRun Result() => new()
    {
        Normalization = _normalization,
        Cut = _cut,
        GradientRelativeError = _gradientRelativeError,
        Windows = _windows,
        WeightDistances = _weightDistances,
    };

    /// <summary>Frees model, gradient and optimizer state.</summary>
    public void Dispose()
    {
        _optimizer.Dispose();
        _gradient.Dispose();
        _model.Dispose();
    }

    // In float64 whatever the runs compute in: in float32 the norm's own rounding would be part of the figure.
    private static double RelativeDistance(Tensor actual, Tensor expected)
    {
        Tensor reference = expected.to(float64);
        return (actual.to(float64) - reference).norm().ToDouble() / reference.norm().ToDouble();
    }
}
