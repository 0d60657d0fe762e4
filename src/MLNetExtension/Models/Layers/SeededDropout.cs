using MLNetExtension.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// Dropout with a random number generator of its own: the same seed gives the same mask again, which recomputing a block and resuming a run need. On a GPU, whose generators TorchSharp does not
/// create, masks are computed from the seed and the places of the inputs.
/// </summary>
public sealed class SeededDropout : nn.Module<Tensor, Tensor>
{
    private readonly double _probability;
    private Generator? _generator;    // the CPU's
    private long _seed, _drawn;       // numbers drawn on other devices since the seed was set

    /// <summary>Creates the layer.</summary>
    /// <param name="probability">Share of the inputs that training zeroes, 0 to below 1.</param>
    public SeededDropout(double probability)
        : base(nameof(SeededDropout))
        => _probability = probability;

    /// <summary>Whether it zeroes anything now.</summary>
    internal bool IsActive => training && _probability > 0;

    /// <summary>Restarts the random numbers.</summary>
    /// <param name="seed">The same seed gives the same masks.</param>
    public void Reseed(long seed)
    {
        (_seed, _drawn) = (seed, 0);
        _generator?.manual_seed(seed);
    }

    /// <summary>In training, zeroes a share of the input and scales the rest up; otherwise returns the input itself.</summary>
    /// <param name="input">Any shape.</param>
    public override Tensor forward(Tensor input)
    {
        if (!IsActive)
            return input;
        using Tensor kept = DrawKept(input);
        return input * kept.mul_(Scalars.Of(1 / (1 - _probability)));
    }

    /// <summary>Applies active dropout in a forward pass without a gradient.</summary>
    /// <param name="input">Any shape.</param>
    /// <param name="tape">Keeps which inputs are kept, a byte each.</param>
    internal Tensor Forward(Tensor input, Tape tape)
    {
        using Tensor kept = DrawKept(input);
        tape.Keep(kept.to(ScalarType.Bool));
        return Apply(input, kept);
    }

    /// <summary>Applies to a gradient what the forward pass applied to its input.</summary>
    /// <param name="gradient">Any shape.</param>
    /// <param name="tape">What the forward pass kept.</param>
    internal Tensor Backward(Tensor gradient, Tape tape)
    {
        using Tensor kept = tape.Take();
        return Apply(gradient, kept);
    }

    /// <summary>Zeroes and scales as a forward pass did.</summary>
    /// <param name="input">Any shape.</param>
    /// <param name="kept">What that pass kept on the tape.</param>
    internal Tensor Apply(Tensor input, Tensor kept) => input * kept.to(input.dtype).mul_(Scalars.Of(1 / (1 - _probability)));

    private Tensor DrawKept(Tensor input)
    {
        if (input.device_type == DeviceType.CPU)
            return empty_like(input, requires_grad: false).bernoulli_(1 - _probability, _generator ??= new Generator((ulong)_seed, CPU));
        Tensor kept = ComputeKept(input, _probability, _seed, _drawn);
        _drawn += input.numel();
        return kept;
    }

    /// <summary>Computes which inputs are kept, on any device.</summary>
    /// <param name="input">Any shape.</param>
    /// <param name="probability">Share of the inputs that is zeroed.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="before">How many inputs it has decided on before.</param>
    /// <returns>1 where kept, else 0, in the shape and type of the input.</returns>
    internal static Tensor ComputeKept(Tensor input, double probability, long seed, long before)
    {
        using var scope = NewDisposeScope();
        Tensor states = RandomBits.States(before + 1, input.numel(), input.device).add_(Scalars.Of(unchecked((long)SplitMix64.Mix((ulong)seed))), Scalars.One);
        double limit = (1 - 2 * probability) * RandomBits.Range;    // numbers are from minus the range to the range
        return RandomBits.Draw(states).lt(Scalars.Of(limit)).view(input.shape).to(input.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>Frees the generator.</summary>
    protected override void Dispose(bool disposing)
    {
        _generator?.Dispose();
        base.Dispose(disposing);
    }
}
