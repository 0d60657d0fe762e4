using MLNetExtension.Models.Layers;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Llama;

/// <summary>A pre-norm transformer block: x + attention(norm(x)), then x + feed-forward(norm(x)), where the feed-forward network may be one of several experts. B rows, T positions, C width.</summary>
internal sealed class LlamaBlock : TransformerBlock
{
    private readonly RmsNorm attention_norm, feed_forward_norm;
    private readonly LlamaAttention attention;
    private readonly GatedFeedForward? mlp;
    private readonly MixtureOfExperts? moe;
    private readonly ResidualBranch[]? _branches;    // null where experts are routed

    public LlamaBlock(LlamaConfiguration configuration, int layer, RotaryEmbedding rotary, WeightInitializer initializer)
        : base(nameof(LlamaBlock))
    {
        attention_norm = initializer.CreateRmsNorm(configuration.Width, configuration.NormEpsilon);
        attention = new LlamaAttention(configuration, layer, rotary, initializer);
        feed_forward_norm = initializer.CreateRmsNorm(configuration.Width, configuration.NormEpsilon);
        if (configuration.Experts > 0)
            moe = CreateMixture(configuration, initializer);
        else
            mlp = CreateFeedForward(configuration, initializer);
        if (mlp is not null)
            _branches = [new ResidualBranch(attention_norm, attention), new ResidualBranch(feed_forward_norm, mlp)];
        RegisterComponents();
    }

    private protected override IReadOnlyList<ResidualBranch>? Branches => attention.DropsProbabilities ? null : _branches;

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
        Tensor hidden = input + attention.call(attention_norm.call(input), layout);
        Tensor normalized = feed_forward_norm.call(hidden);
        return hidden + (moe?.call(normalized, layout) ?? mlp!.call(normalized));
    }

    private static GatedFeedForward CreateFeedForward(LlamaConfiguration configuration, WeightInitializer initializer) => new(
        initializer.CreateLinear(configuration.Width, 2 * configuration.FeedForwardWidth, configuration.FeedForwardBias),
        initializer.CreateLinear(configuration.FeedForwardWidth, configuration.Width, configuration.FeedForwardBias),
        configuration.Activation);

    private static MixtureOfExperts CreateMixture(LlamaConfiguration configuration, WeightInitializer initializer) => new(
        initializer.CreateLinear(configuration.Width, configuration.Experts),
        [.. Enumerable.Range(0, configuration.Experts).Select(_ => CreateFeedForward(configuration, initializer))],
        configuration.ExpertsPerToken,
        weightsSumToOne: true);
}
