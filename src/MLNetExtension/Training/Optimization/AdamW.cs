using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization;

/// <summary>
/// AdamW (Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2) on flat parameters, in pieces, whatever parameters those belong to.
/// Which of them decay is decided there.
/// </summary>
public sealed class AdamW : IDisposable
{
    // A step reads every piece about ten times: pieces that stay in the caches halve its time (124 million parameters: 214 ms whole, 114 ms in pieces).
    private const long PieceLength = 1 << 18;

    private readonly FlatParameters _parameters;
    private readonly double _beta1, _beta2, _epsilon, _weightDecay;
    private readonly IRankGroup _ranks;         // those that each own and step a shard of the weights
    private readonly Shard _shard;              // this rank's, S scalars: all P where it owns the weights alone
    private readonly Tensor _first, _second;    // [S]: running means of the gradient and of its square
    private Tensor? _before;                    // [S]: the weights before the last step, where that step cannot be computed backwards
    private double _lastRate;

    /// <summary>Creates an optimizer that has taken no step.</summary>
    /// <param name="parameters">What it steps.</param>
    /// <param name="beta1">Decay of the mean of gradients, 0 to below 1.</param>
    /// <param name="beta2">Decay of the mean of squared gradients, 0 to below 1.</param>
    /// <param name="epsilon">Added to the denominator.</param>
    /// <param name="weightDecay">Share of a weight, times the learning rate, that a step takes away.</param>
    public AdamW(FlatParameters parameters, double beta1 = 0.9, double beta2 = 0.95, double epsilon = 1e-8, double weightDecay = 0.1)
        : this(parameters, new AdamWOptions { Beta1 = beta1, Beta2 = beta2, Epsilon = epsilon, WeightDecay = weightDecay }, SingleRank.Instance)
    {
    }

    /// <summary>Creates an optimizer that has taken no step, and shares its work and its state with others.</summary>
    /// <param name="parameters">What it steps.</param>
    /// <param name="options">Its coefficients.</param>
    /// <param name="ranks">Each of them owns, and steps, its <see cref="Shard"/> of the weights, and gets the others' stepped weights.</param>
    internal AdamW(FlatParameters parameters, AdamWOptions options, IRankGroup ranks)
    {
        (_parameters, _ranks, _shard) = (parameters, ranks, Shard.Of(parameters.Length, ranks.Rank, ranks.Size));
        (_beta1, _beta2, _epsilon) = (options.Beta1, options.Beta2 ?? AdamWOptions.DefaultBeta2, options.Epsilon);
        _weightDecay = options.WeightDecay ?? AdamWOptions.DefaultWeightDecay;
        _first = zeros(_shard.Length, dtype: parameters.Values.dtype, device: parameters.Values.device).DetachFromDisposeScope();
        _second = zeros_like(_first).DetachFromDisposeScope();
    }

    /// <summary>Number of steps taken.</summary>
    public int Steps { get; private set; }

    /// <summary>Running mean of the gradient, [P]; where the training's ranks share the state, of this rank's shard.</summary>
    public Tensor First => _first;

    /// <summary>Running mean of the squared gradient, as long.</summary>
    public Tensor Second => _second;

    /// <summary>Copies the state of another optimizer.</summary>
    /// <param name="steps">Steps that it took.</param>
    /// <param name="first">Its running mean of the gradient, [P].</param>
    /// <param name="second">Its running mean of the squared gradient, [P].</param>
    public void Restore(int steps, Tensor first, Tensor second)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        Steps = steps;
        _first.copy_(first);
        _second.copy_(second);
    }

    /// <summary>Gives the first rank the moments of all weights. Collective.</summary>
    /// <returns>The running means of the gradient and of its square, [P]: where ranks share the state, copies that are whole on the first rank alone.</returns>
    internal (Tensor First, Tensor Second) GatherMoments()
    {
        if (_ranks.Size == 1)
            return (_first, _second);
        (Tensor first, Tensor second) = CreateWhole();
        _ranks.GatherToFirst(_first, first, _parameters.Length);
        _ranks.GatherToFirst(_second, second, _parameters.Length);
        return (first, second);
    }

    /// <summary>Makes tensors for the moments of all weights, to be read on the first rank and given to <see cref="RestoreMoments"/>.</summary>
    /// <returns>[P] each, on the CPU where ranks share the state; empty on ranks that need none.</returns>
    internal (Tensor First, Tensor Second) CreateWhole()
    {
        if (_ranks.Size == 1)
            return (_first, _second);
        long length = _ranks.Rank == 0 ? _parameters.Length : 0;
        return (zeros(length, dtype: _first.dtype), zeros(length, dtype: _first.dtype));
    }

    /// <summary>Gives every rank its part of the state of an optimizer that the first rank has read. Collective.</summary>
    /// <param name="steps">Steps that it took.</param>
    /// <param name="whole">Its moments, as <see cref="CreateWhole"/> made them.</param>
    internal void RestoreMoments(int steps, (Tensor First, Tensor Second) whole)
    {
        Steps = steps;
        if (_ranks.Size == 1)
            return;
        _ranks.ScatterFromFirst(whole.First, _first, _parameters.Length);
        _ranks.ScatterFromFirst(whole.Second, _second, _parameters.Length);
    }

    /// <summary>Whether the last step was so large that the weights before it have been kept.</summary>
    internal bool HasKeptWeights => _before is not null;

    /// <summary>Takes a step against the flat parameters' gradient, which serves as scratch space: it is overwritten.</summary>
    /// <param name="learningRate">The learning rate of this step.</param>
    public void Step(double learningRate)
    {
        KeepWeights(learningRate);
        _lastRate = learningRate;
        Steps++;
        ForEachPiece(StepPiece);
    }

    /// <summary>
    /// Takes the last step back from the weights: exactly, where they were kept, else up to rounding, by the same update from the moments, added. The moments and the number of steps stay. The gradient serves as
    /// scratch space: it is overwritten.
    /// </summary>
    internal void TakeBack()
    {
        if (_before is null)
        {
            ForEachPiece(TakeBackPiece);
            return;
        }
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _ranks.OwnShard(_parameters.Values).copy_(_before);
        Publish();
    }

    // The numbers up to which an update and a decay are so small beside the weights that adding the one and dividing by the other gives them back. A second moment that is forgotten before the first, or
    // a gradient whose square float32 rounds to 0 beside a tiny epsilon, makes updates of any size.
    private bool CanBeComputedBackwards(double learningRate) =>
        learningRate <= 0.1 && learningRate * _weightDecay <= 0.1 && _beta1 * _beta1 <= _beta2 && _epsilon >= 1e-15;

    private void KeepWeights(double learningRate)
    {
        if (CanBeComputedBackwards(learningRate))
        {
            _before?.Dispose();
            _before = null;
            return;
        }
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _before ??= empty_like(_first).DetachFromDisposeScope();
        _before.copy_(_ranks.OwnShard(_parameters.Values));
    }

    private void ForEachPiece(Action<Piece> act)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        long end = _shard.Start + _shard.Length, decayed = _weightDecay == 0 ? 0 : Math.Min(_parameters.DecayedLength, end);
        for (long start = _shard.Start; start < end;)
        {
            // No piece holds both what decays and what does not.
            long size = Math.Min(PieceLength, (start < decayed ? decayed : end) - start), own = start - _shard.Start;
            using var piece = NewDisposeScope();
            act(new Piece(
                _parameters.Values.narrow(0, start, size), _parameters.Gradients.narrow(0, start, size), _first.narrow(0, own, size), _second.narrow(0, own, size), Decays: start < decayed));
            start += size;
        }
        Publish();
    }

    private void Publish()
    {
        _ranks.GatherShards(_parameters.Values);
        _parameters.PublishValues();
    }

    private void StepPiece(Piece piece)
    {
        Tensor gradient = piece.Gradient;
        piece.First.mul_(_beta1).add_(gradient, 1 - _beta1);
        piece.Second.mul_(_beta2).addcmul_(gradient, gradient, 1 - _beta2);
        if (piece.Decays)
            piece.Values.mul_(Decay);
        piece.Values.addcdiv_(piece.First, Denominator(piece), -UpdateRate);
    }

    private void TakeBackPiece(Piece piece)
    {
        piece.Values.addcdiv_(piece.First, Denominator(piece), UpdateRate);
        if (piece.Decays)
            piece.Values.div_(Decay);
    }

    private double Decay => 1 - _lastRate * _weightDecay;

    private double UpdateRate => _lastRate / (1 - Math.Pow(_beta1, Steps));

    // sqrt(v / (1 - beta2^t)) + epsilon, in the place of the gradient.
    private Tensor Denominator(Piece piece) =>
        piece.Gradient.copy_(piece.Second).sqrt_().mul_(1 / Math.Sqrt(1 - Math.Pow(_beta2, Steps))).add_(_epsilon);

    /// <summary>Frees the state.</summary>
    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
        _before?.Dispose();
    }

    // As many elements of each buffer, [size].
    private sealed record Piece(Tensor Values, Tensor Gradient, Tensor First, Tensor Second, bool Decays);
}
