using MLNetExtension.Training.Accumulation;
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
    private readonly Tensor _first, _second;    // [P]: running means of the gradient and of its square

    /// <summary>Creates an optimizer that has taken no step.</summary>
    /// <param name="parameters">What it steps.</param>
    /// <param name="beta1">Decay of the mean of gradients, 0 to below 1.</param>
    /// <param name="beta2">Decay of the mean of squared gradients, 0 to below 1.</param>
    /// <param name="epsilon">Added to the denominator.</param>
    /// <param name="weightDecay">Share of a weight, times the learning rate, that a step takes away.</param>
    public AdamW(FlatParameters parameters, double beta1 = 0.9, double beta2 = 0.95, double epsilon = 1e-8, double weightDecay = 0.1)
    {
        (_parameters, _beta1, _beta2, _epsilon, _weightDecay) = (parameters, beta1, beta2, epsilon, weightDecay);
        _first = zeros_like(parameters.Values).DetachFromDisposeScope();
        _second = zeros_like(parameters.Values).DetachFromDisposeScope();
    }

    /// <summary>Number of steps taken.</summary>
    public int Steps { get; private set; }

    /// <summary>Running mean of the gradient, [P].</summary>
    public Tensor First => _first;

    /// <summary>Running mean of the squared gradient, [P].</summary>
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

    /// <summary>Takes a step against the flat parameters' gradient, which serves as scratch space: it is overwritten.</summary>
    /// <param name="learningRate">The learning rate of this step.</param>
    public void Step(double learningRate)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        Steps++;
        long length = _parameters.Length, decayed = _weightDecay == 0 ? 0 : _parameters.DecayedLength;
        for (long start = 0; start < length;)
        {
            // No piece holds both what decays and what does not.
            long size = Math.Min(PieceLength, (start < decayed ? decayed : length) - start);
            StepPiece(start, size, learningRate, decays: start < decayed);
            start += size;
        }
        _parameters.PublishValues();
    }

    private void StepPiece(long start, long size, double learningRate, bool decays)
    {
        using var scope = NewDisposeScope();
        Tensor values = _parameters.Values.narrow(0, start, size), gradient = _parameters.Gradients.narrow(0, start, size);
        Tensor first = _first.narrow(0, start, size), second = _second.narrow(0, start, size);
        first.mul_(_beta1).add_(gradient, 1 - _beta1);
        second.mul_(_beta2).addcmul_(gradient, gradient, 1 - _beta2);

        // sqrt(v / (1 - beta2^t)) + epsilon
        Tensor denominator = gradient.copy_(second).sqrt_().mul_(1 / Math.Sqrt(1 - Math.Pow(_beta2, Steps))).add_(_epsilon);
        if (decays)
            values.mul_(1 - learningRate * _weightDecay);
        values.addcdiv_(first, denominator, -learningRate / (1 - Math.Pow(_beta1, Steps)));
    }

    /// <summary>Frees the state.</summary>
    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
    }
}
