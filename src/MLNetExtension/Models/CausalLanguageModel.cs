using MLNetExtension.Data;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>
/// A transformer whose parts training runs one by one: token embedding, blocks, final norm, head. As a module it maps ids [B,T] int64 to logits [B,T,V]. B rows, T positions, C width, V vocabulary.
/// </summary>
/// <remarks>
/// <para>Derive from it for a network of your own, see <see cref="LanguageModel.Custom"/>. A plain module from ids to logits is trained as exactly; one with parts is trained in less memory, because the head's logits are
/// computed in chunks and blocks can be recomputed, and in less time, because rows can be packed. With <see cref="CanCache"/> a generated token costs a pass over that token alone.</para>
/// <para>Random numbers must come from <see cref="Layers.SeededDropout"/>, which <see cref="ReseedDropout"/> and <see cref="TransformerBlock.ReseedDropout"/> restart: a block that is run again must compute the same.</para>
/// </remarks>
public abstract class CausalLanguageModel : nn.Module<Tensor, Tensor>
{
    internal const double DefaultRouterBalanceCoefficient = 0.01;

    /// <summary>Names the module.</summary>
    /// <param name="name">The module's name.</param>
    protected CausalLanguageModel(string name)
        : base(name) => Lifetime = new NetworkLifetime(Dispose);

    /// <summary>Who uses the network now. Its owner closes this instead of disposing the network while others may use it.</summary>
    internal NetworkLifetime Lifetime { get; }

    /// <summary>V, the number of token ids.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Most positions of a row.</summary>
    public abstract int ContextLength { get; }

    /// <summary>The head's weight, [V,C]: a parameter of the model, the same object every time; where it is tied, that of <see cref="TokenEmbedding"/>. Null for a model that returns logits and has no separate parts.</summary>
    public abstract Tensor? HeadWeight { get; }

    /// <summary>Where the weights are.</summary>
    internal Device Device => SampleWeight.device;

    /// <summary>For a network of a user's own, its module and what created it; null for those of this library.</summary>
    internal CustomNetwork? Custom { get; set; }

    /// <summary>A weight whose device and type stand for those of all.</summary>
    internal Tensor SampleWeight => HeadWeight ?? parameters().First();

    /// <summary>Whether keys and values can be cached: whether positions meet in <see cref="SequenceLayout.Attend"/> alone and find their places by <see cref="SequenceLayout.SelectPositions(Tensor, long)"/>. Default false.</summary>
    public virtual bool CanCache => false;

    /// <summary>The blocks in their order, each [B,T,C] to [B,T,C].</summary>
    public abstract IReadOnlyList<TransformerBlock> Blocks { get; }

    /// <summary>Coefficient of the routers' balance loss, where training is asked for none. Default: 0.01.</summary>
    internal virtual double RouterBalanceCoefficient => DefaultRouterBalanceCoefficient;

    /// <summary>Whether the loads of experts are balanced over all blocks together, as Hugging Face's Mixtral does, instead of in each block.</summary>
    internal virtual bool BalancesBlocksTogether => false;

    /// <summary>c, where the product z of a hidden state and the head becomes the logit c tanh(z / c); null where it is the logit. Default null.</summary>
    internal virtual double? LogitCap => null;

    /// <summary>The length past which the keys of a row's positions are others than in a shorter row, so that those in a cache are of no use; null where there is none. Default null.</summary>
    internal virtual int? ShortRowLimit => null;

    /// <summary>
    /// The embedding of tokens, [V,C]: a parameter of the model, the same object every time. Training looks it up itself, so that its gradient is added where tokens occur and never exists as [V,C] for one micro-batch.
    /// </summary>
    public abstract Tensor TokenEmbedding { get; }

    /// <summary>Tables from which rows are looked up, by token or position: parameters of the model. Default: <see cref="TokenEmbedding"/>, where the model has separate parts.</summary>
    internal virtual IEnumerable<Tensor> EmbeddingTables => HeadWeight is null ? [] : [TokenEmbedding];

    /// <summary>Adds position embeddings and applies the embedding's dropout, where the model has them, [B,T,C] to [B,T,C]: the input of the first block.</summary>
    /// <param name="tokens">Embedded tokens, [B,T,C].</param>
    /// <param name="layout">How rows are arranged in them.</param>
    public abstract Tensor AddPositions(Tensor tokens, SequenceLayout layout);

    /// <summary>Embeds ids, [B,T] int64 to [B,T,C].</summary>
    /// <param name="ids">Token ids, [B,T] int64.</param>
    /// <param name="layout">How rows are arranged in them.</param>
    internal Tensor Embed(Tensor ids, SequenceLayout layout) =>
        AddPositions(TokenEmbedding.index_select(0, ids.flatten()).view(ids.shape[0], ids.shape[1], -1), layout);     // [B,T,C]

    /// <summary>Applies the final norm, [...,C] to [...,C].</summary>
    /// <param name="hidden">The output of the last block.</param>
    public abstract Tensor Normalize(Tensor hidden);

    /// <summary>Restarts the random numbers of dropout outside of the blocks; each block has its own, see <see cref="TransformerBlock.ReseedDropout"/>.</summary>
    /// <param name="seed">The seed.</param>
    public abstract void ReseedDropout(long seed);

    /// <summary>Whether <see cref="Replicate"/> can be called. Default: where a factory created the model.</summary>
    internal virtual bool CanReplicate => Custom is not null;

    /// <summary>Creates a second module that shares the weights, so that another thread can run it with gradients and random numbers of its own.</summary>
    /// <returns>A module whose parameters and buffers are views of those of this one, trained where those are.</returns>
    /// <exception cref="NotSupportedException"><see cref="CanReplicate"/> is false.</exception>
    internal CausalLanguageModel Replicate()
    {
        CausalLanguageModel replica = CreateUninitialized();
        using var untracked = no_grad();
        using var scope = NewDisposeScope();
        if (SampleWeight.dtype != replica.SampleWeight.dtype)
            replica.to(SampleWeight.dtype);
        foreach ((IAdaptableLayer own, IAdaptableLayer copy) in FindLinears(this).Zip(FindLinears(replica)))
        {
            if (copy is AdaptableLinear linear && linear.Weight.Values.dtype != own.Weight.Values.dtype)
                linear.StoreAs(own.Weight.Values.dtype, keepsValues: false);
            foreach (LowRankAdapter adapter in own.Adapters)
                copy.Add(adapter.CreateEmpty());
        }
        foreach (((string name, Parameter own), (_, Parameter copy)) in named_parameters().Zip(replica.named_parameters()))
        {
            Share(own, copy, name);
            copy.requires_grad = own.requires_grad;
        }
        foreach (((string name, Tensor own), (_, Tensor copy)) in named_buffers().Zip(replica.named_buffers()))
            Share(own, copy, name);
        replica.train(training);
        return replica;
    }

    /// <summary>Creates a module of the same shape and settings, whose weights will be replaced, on the CPU.</summary>
    private protected virtual CausalLanguageModel CreateUninitialized() =>
        Custom?.Factory.Create(seed: 0) ?? throw new NotSupportedException($"A {GetType().Name} cannot be replicated.");

    /// <summary>Computes the hidden states that the head reads, [B,T] int64 to [B,T,C]; logits, [B,T,V], where <see cref="HeadWeight"/> is null.</summary>
    /// <param name="ids">Token ids, [B,T] int64; T at most <see cref="ContextLength"/>.</param>
    internal virtual Tensor ComputeHidden(Tensor ids) => ComputeHidden(ids, SequenceLayout.Full);

    /// <summary>Computes the hidden states of positions that follow those in a cache, and adds them to it. Records no gradient.</summary>
    /// <param name="ids">The next token ids of each row, [B,t] int64.</param>
    /// <param name="cache">The positions before; empty at first. Its length and t are at most <see cref="ContextLength"/> together.</param>
    /// <returns>[B,t,C]: for each row what <see cref="ComputeHidden(Tensor)"/> returns for the whole row at these positions.</returns>
    /// <exception cref="ArgumentException">The cache has no room left, or a row outgrows <see cref="ShortRowLimit"/>, so that it must be read from its start.</exception>
    /// <exception cref="NotSupportedException"><see cref="CanCache"/> is false.</exception>
    internal Tensor ComputeHidden(Tensor ids, KeyValueCache cache)
    {
        ArgumentNullException.ThrowIfNull(cache);
        if (!CanCache)
            throw new NotSupportedException($"A {GetType().Name} keeps no keys and values.");
        long count = ids.shape[1];
        if (cache.Length + count > ContextLength)
            throw new ArgumentException($"The cache holds {cache.Length} positions and {count} more are given, but the model's context has {ContextLength}.", nameof(ids));
        if (ShortRowLimit is { } limit && cache.Crosses(limit, count))
            throw new ArgumentException($"A row outgrows {limit} positions, past which this model encodes all of its positions in another way; expected it to be read from its start, with an empty cache.", nameof(ids));
        using var _ = no_grad();
        Tensor hidden = ComputeHidden(ids, SequenceLayout.Cached(cache));
        cache.Advance(count);
        return hidden;
    }

    /// <summary>Computes logits, [B,T] int64 to [B,T,V].</summary>
    /// <param name="ids">Token ids, [B,T] int64.</param>
    public override Tensor forward(Tensor ids) => ComputeLogits(ComputeHidden(ids));

    /// <summary>Computes logits of hidden states, [...,C] to [...,V].</summary>
    /// <param name="hidden">What <see cref="ComputeHidden(Tensor)"/> gives: where <see cref="HeadWeight"/> is null, the logits themselves.</param>
    internal Tensor ComputeLogits(Tensor hidden)
    {
        if (HeadWeight is not { } head)
            return hidden;
        LinearWeight weight = new(head);
        Tensor logits = VectorProduct.Suits(hidden, weight) ? VectorProduct.Multiply(hidden, weight) : MatrixProduct.Multiply(hidden, head);
        return LogitCap is { } cap ? (logits / Scalars.Of(cap)).tanh() * Scalars.Of(cap) : logits;
    }

    /// <summary>Computes the hidden states of rows in any layout, [B,T] int64 to [B,T,C]. Only for a model with separate parts.</summary>
    /// <param name="ids">Token ids, [B,T] int64; or packed, [1,T].</param>
    /// <param name="layout">How rows are arranged in them.</param>
    internal Tensor ComputeHidden(Tensor ids, SequenceLayout layout)
    {
        Tensor hidden = Embed(ids, layout);
        foreach (TransformerBlock block in Blocks)
        {
            // Without gradients, what a block makes on the way is freed with it, not at the end of the pass.
            using DisposeScope? scope = is_grad_enabled() ? null : NewDisposeScope();
            hidden = block.call(hidden, layout);
            if (scope is not null)
                hidden.MoveToOuterDisposeScope();
        }
        return Normalize(hidden);
    }

    /// <summary>Computes what the head reads at the targets, [N,C], without a gradient, by the blocks' own forward passes, which use memory again and attend to rows of nearly the same length together.</summary>
    /// <param name="microBatch">The rows.</param>
    /// <param name="memory">Where layers put what they compute, the result included.</param>
    internal Tensor ComputeTargetStates(MicroBatch microBatch, ActivationMemory memory)
    {
        using var _ = no_grad();
        using Tape tape = new(SequenceLayout.Of(microBatch), memory, _ => null, keeps: false);
        ModelEnds ends = ModelEnds.Of(this, microBatch, tape);
        Tensor hidden = ends.Embed();
        foreach (TransformerBlock block in Blocks)
        {
            Tensor output = block.Forward(hidden, tape);
            hidden.Dispose();
            hidden = output;
        }
        return ends.Select(hidden, needsGradient: false);
    }

    // A list, because adding adapters adds modules.
    private static List<IAdaptableLayer> FindLinears(CausalLanguageModel model) =>
        model.Custom is { } custom ? [.. custom.Linears.Select(module => module.Linear)] : [.. model.modules().OfType<IAdaptableLayer>()];

    private static void Share(Tensor own, Tensor copy, string name)
    {
        if (!own.shape.SequenceEqual(copy.shape))
            throw new InvalidOperationException($"The replica's '{name}' is [{string.Join(", ", copy.shape)}], the model's is [{string.Join(", ", own.shape)}].");
        copy.set_(own);
    }
}
