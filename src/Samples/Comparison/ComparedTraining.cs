using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Ranks;
using TorchSharp;
using static TorchSharp.torch;

namespace Samples.Comparison;

/// <summary>One training of a comparison, with its own model; all start from the same weights.</summary>
internal sealed class ComparedTraining : IDisposable
{
    private readonly LossNormalization _normalization;
    private readonly BatchSplit _split;
    private readonly IRankGroup _ranks;
    private readonly Gpt2Model _model;
    private readonly BatchGradient _gradient;
    private readonly FlatOptimizer _optimizer;
    private readonly List<BatchLoss> _batches = [];
    private readonly List<double> _weightDistances = [];
    private readonly double _maximumGradientNorm;
    private double _gradientRelativeError, _gradientNormError;

    public ComparedTraining(Gpt2Configuration configuration, ComparisonSettings settings, ComparedRun run)
    {
        (_normalization, _split, _ranks, _maximumGradientNorm) = (run.Normalization, run.Split, run.Ranks, settings.MaximumGradientNorm);
        _model = new Gpt2Model(configuration, settings.Seed);
        _model.to(run.Dtype);
        _gradient = new BatchGradient(_model, new GradientSettings { Normalization = run.Normalization });
        _optimizer = new FlatOptimizer(_gradient.Parameters);
    }

    /// <summary>Loss of the latest batch in nats per target token.</summary>
    public double LastLoss => _batches[^1].Mean;

    /// <summary>Accumulates the gradient of a batch, of which each rank computes its micro-batches, and clips it, and compares the first one with the full batch's.</summary>
    public void Accumulate(TokenExample[] batch, ComparedTraining fullBatch)
    {
        using var scope = NewDisposeScope();
        IEnumerable<TokenExample[]> own = batch.Chunk(_split.RowsPerMicroBatch).Where((_, k) => k % _ranks.Size == _ranks.Rank);
        _gradient.Add([.. own], workers: 1, dropoutSeed: 0, CancellationToken.None);
        _batches.Add(_gradient.DivideGradient(_ranks));
        Tensor gradient = _gradient.Parameters.Gradients;
        _ranks.GatherShards(gradient);
        GradientClipping.Clip(gradient, _batches[^1].GradientNorm, _maximumGradientNorm);
        if (_batches.Count > 1)
            return;
        _gradientRelativeError = RelativeDistance(gradient, fullBatch._gradient.Parameters.Gradients);
        _gradientNormError = Math.Abs(_batches[0].GradientNorm / fullBatch._batches[0].GradientNorm - 1);
    }

    /// <summary>Takes the optimizer step, zeroes the gradient, and compares the weights with the full batch's.</summary>
    public void Step(double learningRate, ComparedTraining fullBatch)
    {
        using var scope = NewDisposeScope();
        _optimizer.Step(learningRate);
        _gradient.Reset();
        _weightDistances.Add(RelativeDistance(_gradient.Parameters.Values, fullBatch._gradient.Parameters.Values));
    }

    /// <summary>The result so far.</summary>
    public AccumulationRun CreateResult() => new()
    {
        Normalization = _normalization,
        Split = _split,
        Ranks = _ranks.Size,
        GradientRelativeError = _gradientRelativeError,
        GradientNormError = _gradientNormError,
        Batches = _batches,
        WeightDistances = _weightDistances,
    };

    /// <summary>Frees model, gradient and optimizer state.</summary>
    public void Dispose()
    {
        _optimizer.Dispose();
        _gradient.Dispose();
        _model.Dispose();
    }

    private static double RelativeDistance(Tensor actual, Tensor expected) =>
        Math.Sqrt(LongVector.SumSquares(actual, expected).ToDouble() / LongVector.SumSquares(expected).ToDouble());
}
