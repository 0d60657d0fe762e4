using static TorchSharp.torch;

namespace MLNetExtension.Models.Lora;

/// <summary>Settings of low-rank adapters, which layers get one, and what is trained whole beside them.</summary>
/// <remarks>Source: E. Hu et al., "LoRA: low-rank adaptation of large language models", 2021.</remarks>
public sealed record LoraOptions
{
    /// <summary>PEFT's name for all linear layers but the head.</summary>
    internal const string AllLinear = "all-linear";

    /// <summary>r, the rank of what is added to a weight. Default 8; 1 or more.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>Factor of the product of an adapter's two matrices, which is then divided by the rank. Default 8; from 1.18e-38 to 1e30.</summary>
    public double Alpha { get; init; } = 8;

    /// <summary>Share of the adapter's inputs that training zeroes. Default 0; from 0 to below 1.</summary>
    public double Dropout { get; init; }

    /// <summary>
    /// The layers that get an adapter, under their names in Hugging Face's files, as in <c>transformer.h.0.attn.c_attn</c> or <c>model.layers.0.self_attn.q_proj</c>, or in a custom model's module: whole names, or their ends
    /// after a dot, as in <c>q_proj</c>; <c>*</c> stands for any characters. Default <c>*</c>, all linear layers of the blocks, as PEFT's <c>all-linear</c>, which is understood too; of a custom module without blocks, all of them.
    /// </summary>
    public IReadOnlyList<string> TargetModules { get; init; } = ["*"];

    /// <summary>Whether the product is divided by the square root of the rank instead, so that training with a large rank is not too slow. Default false.</summary>
    /// <remarks>Source: D. Kalajdzievski, "A rank stabilization scaling factor for fine-tuning with LoRA", 2023.</remarks>
    public bool RankStabilized { get; init; }

    /// <summary>
    /// Whether adapters are DoRA: the adapted weight is normalized row by row, and the norms are trained by themselves, one number for each output. Default false. The norms count as constants in the backward pass, as in
    /// section 4.3 of the paper. Weight decay does not act on them, unless <see cref="Training.Optimization.WeightDecayRule.All"/> or a group asks for it.
    /// </summary>
    /// <remarks>Source: S.-Y. Liu et al., "DoRA: weight-decomposed low-rank adaptation", 2024, arXiv 2402.09353.</remarks>
    public bool UseDora { get; init; }

    /// <summary>What adapters start from. Default <see cref="LoraInitialization.Kaiming"/>.</summary>
    public LoraInitialization Initialization { get; init; }

    /// <summary>
    /// Modules that are trained whole beside the adapters, under names as in <see cref="TargetModules"/>: <c>embed_tokens</c> and <c>lm_head</c>, or <c>wte</c>, where new tokens or another language are to be
    /// trained, or norms. PEFT's <c>modules_to_save</c>. Default: none. A head that is tied to the embedding is the same parameter, trained once under either name. A model that computes in bfloat16 keeps its weights in float32
    /// then. None of them has an adapter, or is a part of what the model keeps as one matrix.
    /// </summary>
    public IReadOnlyList<string> TrainedModules { get; init; } = [];

    /// <summary>
    /// How the frozen weights of the blocks' linear layers are stored, whether they have an adapter or not. Default <see cref="BasePrecision.Computation"/>. In fewer bits they take less memory; products convert them back in small
    /// tiles. Adapters, gradients, norms and biases stay as they are, and so do embedding and head, which are looked up and decide on the logits, routers, and what is trained whole. Not for a custom model.
    /// </summary>
    /// <remarks>As in T. Dettmers et al., "QLoRA: efficient finetuning of quantized LLMs", 2023, arXiv 2305.14314.</remarks>
    public BasePrecision BasePrecision { get; init; }

    /// <summary>What the frozen weights are stored in; null where that is what the model computes in.</summary>
    internal ScalarType? BaseType => BasePrecision switch
    {
        BasePrecision.BFloat16 => ScalarType.BFloat16,
        BasePrecision.Int8 => ScalarType.Int8,
        _ => null,
    };

    internal double Scale => Alpha / (RankStabilized ? Math.Sqrt(Rank) : Rank);

    internal void Validate(string? group = null)
    {
        Require.That(Rank >= 1, Rank, "at least 1", group);
        Require.Positive(Alpha, group);
        Require.Share(Dropout, group);
        Require.That(TargetModules is not { Count: 0 }, TargetModules, "one name or more", group);
        Require.Names(TargetModules, group);
        Require.Defined(Initialization, group);
        Require.That(Initialization != LoraInitialization.Orthogonal || Rank % 2 == 0, Rank, $"an even number with {nameof(Initialization)} {Initialization}", group);
        Require.Names(TrainedModules, group);
        Require.Defined(BasePrecision, group);
    }
}
