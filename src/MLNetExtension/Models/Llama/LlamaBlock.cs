using MLNetExtension.Models.Layers;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Llama;

/// <summary>
/// A transformer block: x + attention(x), then x + feed-forward(x), each with a norm of what goes into it, of what comes out of it, or of both; the feed-forward network may be one of several
/// experts. B rows, T positions, C width.
/// </summary>
internal sealed class LlamaBlock : TransformerBlock
{
    private readonly RmsNorm? attention_norm, feed_forward_norm, attention_output_norm, feed_forward_output_norm;
    private readonly LlamaAttention attention;
    private readonly GatedFeedForward? mlp;
    private readonly MixtureOfExperts? moe;
    private readonly ResidualBranch[]? _branches;    // null where experts are routed

    public LlamaBlock(LlamaConfiguration configuration, int layer, RotaryEmbedding rotary, WeightInitializer initializer)
        : base(nameof(LlamaBlock))
    {
        attention = new LlamaAttention(configuration, layer, rotary, initializer);
        if (configuration.HasInputNorms)
            (attention_norm, feed_forward_norm) = (CreateNorm(), CreateNorm());
        if (configuration.HasOutputNorms)
            (attention_output_norm, feed_forward_output_norm) = (CreateNorm(), CreateNorm());
        if (configuration.ExpertsOf(layer) > 0)
            moe = CreateMixture(configuration, initializer);
        else
            mlp = CreateFeedForward(configuration, configuration.FeedForwardWidth, initializer);
        if (mlp is not null)
            _branches = [new ResidualBranch(attention_norm, attention, OutputNorm: attention_output_norm), new ResidualBranch(feed_forward_norm, mlp, OutputNorm: feed_forward_output_norm)];
        RegisterComponents();

        RmsNorm CreateNorm() => initializer.CreateRmsNorm(configuration.Width, configuration.NormEpsilon, configuration.NormsAddOne);
    }

    private protected override IReadOnlyList<ResidualBranch>? Branches => attention.DropsProbabilities ? null : _branches;

    internal override long AttentionWidth => attention.Width;

    internal override bool HasRouter => moe is not null;

    internal override Routing? Routing => moe?.Routing;

    public override void ReseedDropout(long seed)
    {
        base.ReseedDropout(seed);
        attention.ReseedDropout(seed);
    }

    /// <summary>[B,T,C] to [B,T,C].</summary>
    /// <param name="input">Hidden states, [B,T,C].</param>
    /// <param name="layout">How rows are arranged in them.</param>
    public override Tensor forward(Tensor input, SequenceLayout layout)
    {
        Tensor hidden = input.Plus(Normalize(attention_output_norm, attention.call(Normalize(attention_norm, input), layout)));
        Tensor normalized = Normalize(feed_forward_norm, hidden);
        return hidden.Plus(Normalize(feed_forward_output_norm, moe?.call(normalized, layout) ?? mlp!.call(normalized)));
    }

    private static Tensor Normalize(RmsNorm? norm, Tensor hidden) => norm?.call(hidden) ?? hidden;

    private static GatedFeedForward CreateFeedForward(LlamaConfiguration configuration, int width, WeightInitializer initializer) => new(
        initializer.CreateLinear(configuration.Width, 2L * width, configuration.FeedForwardBias),
        initializer.CreateLinear(width, configuration.Width, configuration.FeedForwardBias),
        configuration.Activation);

    private static MixtureOfExperts CreateMixture(LlamaConfiguration configuration, WeightInitializer initializer) => new(
        initializer.CreateLinear(configuration.Width, configuration.Experts),
        [.. Enumerable.Range(0, configuration.Experts).Select(_ => CreateFeedForward(configuration, configuration.ExpertWidth, initializer))],
        configuration.ExpertsPerToken,
        configuration.ExpertWeightsSumToOne);
}
