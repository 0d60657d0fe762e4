using MLNetExtension.Models.Layers;
using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>A block of a transformer, [B,T,C] to [B,T,C] in a given layout. With the same seed and input it computes the same result again, dropout included.</summary>
public abstract class TransformerBlock : nn.Module<Tensor, SequenceLayout, Tensor>
{
    private readonly AdapterDropout _adapterDropout;

    /// <summary>Names the block.</summary>
    /// <param name="name">The module's name.</param>
    protected TransformerBlock(string name)
        : base(name) => _adapterDropout = new AdapterDropout(this);

    /// <summary>Whether a router picks experts in this block.</summary>
    internal virtual bool HasRouter => false;

    /// <summary>The router's decisions in the last forward pass of training; null for a block without a router.</summary>
    internal virtual Routing? Routing => null;

    /// <summary>Restarts the random numbers of the block's dropout, the only ones it uses. The base class does so for low-rank adapters: a block with dropout of its own overrides it, calls it and reseeds each <see cref="SeededDropout"/>.</summary>
    /// <param name="seed">The seed.</param>
    public virtual void ReseedDropout(long seed) => _adapterDropout.Reseed(seed);
}
