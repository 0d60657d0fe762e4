using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>
/// A causal language model in the parts that training needs apart: embedding, blocks, final norm, head.
/// B rows, T positions, C width, V vocabulary. As a module it maps ids [B,T] int64 to logits [B,T,V].
/// </summary>
public abstract class CausalLanguageModel : nn.Module<Tensor, Tensor>
{
    /// <summary>Names the module.</summary>
    /// <param name="name">The module's name.</param>
    protected CausalLanguageModel(string name)
        : base(name)
    {
    }

    /// <summary>V, the number of token ids.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Most positions of a row.</summary>
    public abstract int ContextLength { get; }

    /// <summary>The head's weight, [V,C]; where it is tied, the embedding's own parameter.</summary>
    public abstract Tensor HeadWeight { get; }

    /// <summary>The blocks in their order, each [B,T,C] to [B,T,C].</summary>
    public abstract IReadOnlyList<TransformerBlock> Blocks { get; }

    /// <summary>Embeds ids, [B,T] int64 to [B,T,C].</summary>
    /// <param name="ids">Token ids, [B,T] int64.</param>
    /// <param name="layout">How rows lie in them.</param>
    public abstract Tensor Embed(Tensor ids, SequenceLayout layout);

    /// <summary>Applies the final norm, [...,C] to [...,C].</summary>
    /// <param name="hidden">What the last block gave.</param>
    public abstract Tensor Normalize(Tensor hidden);

    /// <summary>Starts the random numbers of the embedding's dropout anew; those of the blocks are the blocks' own.</summary>
    /// <param name="seed">The seed.</param>
    public abstract void ReseedEmbedding(long seed);

    /// <summary>Gives the hidden states that the head reads, [B,T] int64 to [B,T,C].</summary>
    /// <param name="ids">Token ids, [B,T] int64; T at most <see cref="ContextLength"/>.</param>
    public Tensor Hidden(Tensor ids) => Hidden(ids, SequenceLayout.Full);

    /// <summary>Gives the hidden states of positions that follow those in a cache, and puts them into it. Records no gradient.</summary>
    /// <param name="ids">The next token ids of each row, [B,t] int64.</param>
    /// <param name="cache">What came before; empty at first. Its length and t are at most <see cref="ContextLength"/> together.</param>
    /// <returns>[B,t,C]: for each row what <see cref="Hidden(Tensor)"/> gives for the whole row at these positions.</returns>
    /// <exception cref="ArgumentException">The cache has no room left.</exception>
    public Tensor Hidden(Tensor ids, KeyValueCache cache)
    {
        ArgumentNullException.ThrowIfNull(cache);
        long count = ids.shape[1];
        if (cache.Length + count > ContextLength)
            throw new ArgumentException($"The cache holds {cache.Length} positions and {count} more are given, but the model's context has {ContextLength}.", nameof(ids));
        using var _ = no_grad();
        Tensor hidden = Hidden(ids, SequenceLayout.Cached(cache));
        cache.Advance(count);
        return hidden;
    }

    /// <summary>Gives logits, [B,T] int64 to [B,T,V].</summary>
    /// <param name="ids">Token ids, [B,T] int64.</param>
    public override Tensor forward(Tensor ids) => nn.functional.linear(Hidden(ids), HeadWeight);

    private Tensor Hidden(Tensor ids, SequenceLayout layout)
    {
        Tensor hidden = Embed(ids, layout);
        foreach (TransformerBlock block in Blocks)
            hidden = block.call(hidden, layout);
        return Normalize(hidden);
    }
}
