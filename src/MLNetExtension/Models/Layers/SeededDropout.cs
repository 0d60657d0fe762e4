using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// Dropout that draws from a generator of its own: the caller's random state is left alone, and the same seed gives the
/// same mask again, which is what recomputing a block or resuming a run needs.
/// </summary>
internal sealed class SeededDropout : nn.Module<Tensor, Tensor>
{
    private readonly double _probability;
    private readonly Dictionary<string, Generator> _generators = [];
    private long _seed;

    public SeededDropout(double probability)
        : base(nameof(SeededDropout))
        => _probability = probability;

    /// <summary>Whether it zeroes anything now.</summary>
    public bool IsActive => training && _probability > 0;

    public void Reseed(long seed)
    {
        _seed = seed;
        foreach (Generator generator in _generators.Values)
            generator.manual_seed(seed);
    }

    /// <summary>Zeroes a share of the input and scales the rest up, in training; else gives the input itself.</summary>
    /// <param name="input">Any shape.</param>
    public override Tensor forward(Tensor input)
    {
        if (!IsActive)
            return input;
        using Tensor kept = empty_like(input, requires_grad: false).bernoulli_(1 - _probability, GeneratorFor(input.device));
        return input * kept.mul_(1 / (1 - _probability));
    }

    private Generator GeneratorFor(Device device)
    {
        string key = device.ToString();
        if (!_generators.TryGetValue(key, out Generator? generator))
            _generators[key] = generator = new Generator((ulong)_seed, device);
        return generator;
    }

    protected override void Dispose(bool disposing)
    {
        foreach (Generator generator in _generators.Values)
            generator.Dispose();
        base.Dispose(disposing);
    }
}
