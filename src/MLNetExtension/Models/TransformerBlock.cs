using MLNetExtension.Models.Layers;
using TorchSharp;
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

    /// <summary>The widths of the block's attention heads together, by which a position meets each other one; 0 where that is not known. Default 0.</summary>
    internal virtual long AttentionWidth => 0;

    /// <summary>The block as residual branches with backward passes of their own; null where it goes back through automatic differentiation. Default null.</summary>
    private protected virtual IReadOnlyList<ResidualBranch>? Branches => null;

    /// <summary>Computes the block for a backward pass that follows, [B,T,C] to [B,T,C].</summary>
    /// <param name="input">Hidden states, [B,T,C], without a gradient; where the tape keeps nothing, their memory may be used for the result.</param>
    /// <param name="tape">Keeps what the backward pass needs.</param>
    /// <returns>[B,T,C], without a gradient.</returns>
    internal Tensor Forward(Tensor input, Tape tape)
    {
        using var scope = NewDisposeScope();
        Tensor output;
        if (BranchesOn(input.device_type) is { } branches)
        {
            output = branches.Aggregate(input.flatten(0, 1), (x, branch) => branch.Forward(x, tape)).view(input.shape);
        }
        else
        {
            using var _ = enable_grad(tape.Keeps);
            Tensor leaf = input.detach().requires_grad_(), result = call(leaf, tape.Layout);
            tape.Keep(leaf);
            tape.Keep(result);
            output = result.detach();
            Routing?.MoveToOuterDisposeScope();
        }
        return output.MoveToOuterDisposeScope();
    }

    /// <summary>Adds the gradients of the block's parameters and computes that of its input.</summary>
    /// <param name="gradient">Of the result, [B,T,C]; its memory is used again.</param>
    /// <param name="tape">What <see cref="Forward"/> kept.</param>
    /// <param name="auxiliary">A scalar with a gradient that the block's router has part in, which goes back too; null for none.</param>
    /// <returns>[B,T,C].</returns>
    internal Tensor Backward(Tensor gradient, Tape tape, Tensor? auxiliary = null)
    {
        using var scope = NewDisposeScope();
        if (BranchesOn(gradient.device_type) is { } branches)
            return branches.Reverse().Aggregate(gradient.flatten(0, 1), (x, branch) => branch.Backward(x, tape)).view(gradient.shape).MoveToOuterDisposeScope();
        using Tensor result = tape.Take(), leaf = tape.Take();
        if (auxiliary is null)
            result.backward([gradient]);
        else    // both share the graph, and go back in one pass: as a sum whose gradient by the result is the one given
            (result * gradient).to(float64).sum().Plus(auxiliary).backward();
        return leaf.grad!.MoveToOuterDisposeScope();
    }

    // Their kernels are chosen for the CPU; a GPU has better ones for attention.
    private IReadOnlyList<ResidualBranch>? BranchesOn(DeviceType device) => device == DeviceType.CPU ? Branches : null;

    /// <summary>Restarts the random numbers of the block's dropout, the only ones it uses. The base class does so for low-rank adapters: a block with dropout of its own overrides it, calls it and reseeds each <see cref="SeededDropout"/>.</summary>
    /// <param name="seed">The seed.</param>
    public virtual void ReseedDropout(long seed) => _adapterDropout.Reseed(seed);
}
