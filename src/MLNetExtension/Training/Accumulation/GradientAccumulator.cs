using MLNetExtension.Losses;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>
/// Sums losses and gradients over the micro-batches of a batch and divides the gradient once, at the end, by all target tokens of the batch.
/// No other place of the library divides a gradient.
/// </summary>
/// <remarks>
/// What accumulates: the gradients, by the backward passes; the loss sums and counts, by <see cref="Add"/>. What resets them: <see cref="Reset"/>.
/// A batch is: <see cref="Scale"/>, backward and <see cref="Add"/> for each micro-batch that has targets; <see cref="DivideGradient()"/>; step; <see cref="Reset"/>.
/// </remarks>
public sealed class GradientAccumulator : IDisposable
{
    private readonly FlatParameters _parameters;
    private readonly LossNormalization _normalization;
    private readonly Tensor _sums;         // [3] float64 on the device: summed loss, objective, correct targets
    private double _targetCount;
    private int _microBatches;

    /// <summary>Makes an accumulator for the gradients of flat parameters.</summary>
    /// <param name="parameters">The parameters; they stay their owner's.</param>
    /// <param name="normalization">What a batch is divided by.</param>
    public GradientAccumulator(FlatParameters parameters, LossNormalization normalization)
    {
        _parameters = parameters;
        _normalization = normalization;
        _sums = zeros(3, dtype: float64, device: parameters.Values.device).DetachFromDisposeScope();
    }

    /// <summary>What the gradient of a micro-batch's summed loss is multiplied by in its backward pass: 1, except for the mean of means.</summary>
    /// <param name="targetCount">m_k, the targets of the micro-batch, above 0.</param>
    public double Scale(double targetCount) => _normalization == LossNormalization.MicroBatchMean ? 1 / targetCount : 1;

    /// <summary>Counts a micro-batch, after its backward pass has added its scaled gradient to <see cref="FlatParameters.Gradients"/>.</summary>
    /// <param name="loss">Its unscaled sum and its targets.</param>
    public void Add(LossSum loss)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _sums[0].add_(loss.Sum, Scalars.One);
        _sums[1].add_(loss.Sum, Scalars.Of(Scale(loss.TargetCount)));
        if (loss.CorrectCount is { } correct)
            _sums[2].add_(correct, Scalars.One);
        else
            _sums[2].fill_(Scalars.Of(double.NaN));
        _parameters.CollectGradients();
        _targetCount += loss.TargetCount;
        _microBatches++;
    }

    /// <summary>Adds an auxiliary loss of a micro-batch, after a backward pass has added its scaled gradient; it is divided by the same targets and adds none.</summary>
    /// <param name="sum">Its unscaled sum, a scalar: per token, as the loss itself.</param>
    /// <param name="targetCount">m_k, the targets of the micro-batch that it belongs to.</param>
    public void AddAuxiliary(Tensor sum, double targetCount)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _sums[0].add_(sum, Scalars.One);
        _sums[1].add_(sum, Scalars.Of(Scale(targetCount)));
    }

    /// <summary>Adds what another accumulator, that of another rank or device, has summed of the same batch: sums and counts, never means.</summary>
    /// <param name="other">The other accumulator, of the same parameters.</param>
    public void Merge(GradientAccumulator other)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _parameters.Gradients.add_(other._parameters.Gradients.to(_parameters.Gradients.device), Scalars.One);
        _sums.add_(other._sums.to(_sums.device), Scalars.One);
        _targetCount += other._targetCount;
        _microBatches += other._microBatches;
    }

    /// <summary>Divides the accumulated gradient, once, and reads the batch's figures: the one host synchronization of a step.</summary>
    /// <returns>The figures. Without targets nothing is divided, and the gradient is zero as it was.</returns>
    public BatchLoss DivideGradient() => DivideGradient(SingleRank.Instance);

    /// <summary>Adds up what all ranks have summed of a batch, and divides the gradient, once, each rank its <see cref="Shard"/>; the rest of <see cref="FlatParameters.Gradients"/> is undefined then. Collective.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <returns>The figures of the whole batch, on every rank.</returns>
    internal BatchLoss DivideGradient(IRankGroup ranks)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        SumOver(ranks);
        Tensor gradient = ranks.OwnShard(_parameters.Gradients);
        double divisor = Divisor();
        if (divisor != 1)
            gradient.div_(Scalars.Of(divisor));

        Tensor squares = LongVector.SumSquares(gradient);
        ranks.Sum(squares);
        double[] figures = cat([_sums, squares.sqrt_().reshape(1)]).cpu().data<double>().ToArray();
        return new BatchLoss(figures[0], _targetCount, _microBatches, figures[1] / divisor, figures[2], figures[3]);
    }

    /// <summary>Sets loss sums, counts and gradients to zero, for the next batch.</summary>
    public void Reset()
    {
        using var scope = NewDisposeScope();
        _sums.zero_();
        _targetCount = 0;
        _microBatches = 0;
        _parameters.ZeroGradients();
    }

    /// <summary>Frees the loss sums; the parameters stay.</summary>
    public void Dispose() => _sums.Dispose();

    private void SumOver(IRankGroup ranks)
    {
        if (ranks.Size == 1)
            return;
        ranks.Sum(_sums);
        double[] counts = ranks.SumNumbers(_targetCount, _microBatches);
        (_targetCount, _microBatches) = (counts[0], (int)counts[1]);
        ranks.SumShards(_parameters.Gradients);
    }

    private double Divisor() => _microBatches == 0 ? 1 : _normalization switch
    {
        LossNormalization.Token => _targetCount,
        LossNormalization.MicroBatchMean => _microBatches,
        _ => 1,
    };
}
