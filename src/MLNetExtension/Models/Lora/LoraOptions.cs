namespace MLNetExtension.Models.Lora;

/// <summary>Settings of low-rank adapters, and which layers get one.</summary>
/// <remarks>Source: E. Hu et al., "LoRA: low-rank adaptation of large language models", 2021.</remarks>
public sealed record LoraOptions
{
    /// <summary>r, the rank of what is added to a weight. Default 8; 1 or more.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>Factor of the product of an adapter's two matrices, which is then divided by the rank. Default 8; from 1.18e-38 to 1e30.</summary>
    public double Alpha { get; init; } = 8;

    /// <summary>Share of the adapter's inputs that training zeroes. Default 0; from 0 to below 1.</summary>
    public double Dropout { get; init; }

    /// <summary>
    /// The layers that get an adapter, under their names in Hugging Face's files, as in <c>transformer.h.0.attn.c_attn</c> or <c>model.layers.0.self_attn.q_proj</c>, or in a custom model's module: whole names, or their ends
    /// after a dot, as in <c>q_proj</c>; <c>*</c> stands for any characters. Default <c>*</c>, all linear layers of the blocks; of a custom module without blocks, all of them.
    /// </summary>
    public IReadOnlyList<string> TargetModules { get; init; } = ["*"];

    /// <summary>Whether the product is divided by the square root of the rank instead, so that training with a large rank is not too slow. Default false.</summary>
    /// <remarks>Source: D. Kalajdzievski, "A rank stabilization scaling factor for fine-tuning with LoRA", 2023.</remarks>
    public bool RankStabilized { get; init; }

    internal double Scale => Alpha / (RankStabilized ? Math.Sqrt(Rank) : Rank);

    internal void Validate(string? group = null)
    {
        Require.That(Rank >= 1, Rank, "at least 1", group);
        Require.Positive(Alpha, group);
        Require.Share(Dropout, group);
        Require.That(TargetModules is not { Count: 0 }, TargetModules, "one name or more", group);
        Require.Names(TargetModules, group);
    }
}
