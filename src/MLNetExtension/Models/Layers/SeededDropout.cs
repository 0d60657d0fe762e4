using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// Dropout with a random number generator of its own: the same seed gives the same mask again, which recomputing a block and resuming a run need.
/// </summary>
public sealed class SeededDropout : nn.Module<Tensor, Tensor>
{
    private readonly double _probability;
    private readonly Dictionary<string, Generator> _generators = [];
    private long _seed;

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
        _seed = seed;
        foreach (Generator generator in _generators.Values)
            generator.manual_seed(seed);
    }

    /// <summary>In training, zeroes a share of the input and scales the rest up; otherwise returns the input itself.</summary>
    /// <param name="input">Any shape.</param>
    public override Tensor forward(Tensor input)
    {
        if (!IsActive)
            return input;
        using Tensor kept = DrawKept(input);
        return input * kept.mul_(1 / (1 - _probability));
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
    internal Tensor Apply(Tensor input, Tensor kept) => input * kept.to(input.dtype).mul_(1 / (1 - _probability));

    private Tensor DrawKept(Tensor input) => empty_like(input, requires_grad: false).bernoulli_(1 - _probability, GeneratorFor(input.device));

    private Generator GeneratorFor(Device device)
    {
        string key = device.ToString();
        if (!_generators.TryGetValue(key, out Generator? generator))
            _generators[key] = generator = new Generator((ulong)_seed, device);
        return generator;
    }

    /// <summary>Frees the generators.</summary>
    protected override void Dispose(bool disposing)
    {
        foreach (Generator generator in _generators.Values)
            generator.Dispose();
        base.Dispose(disposing);
    }
}
