using MLNetExtension.Models.Layers;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Gpt2;

/// <summary>A pre-norm transformer block: x + attention(norm(x)), then x + feed-forward(norm(x)). B rows, T positions, C width, H heads.</summary>
internal sealed class Gpt2Block : TransformerBlock
{
    private readonly int _heads;
    private readonly double _normEpsilon;
    private readonly LayerNorm ln_1, ln_2;
    private readonly AdaptableLinear c_attn, c_proj;
    private readonly FeedForward? mlp;
    private readonly MixtureOfExperts? moe;
    private readonly SeededDropout dropout, attentionDropout;
    private readonly ResidualBranch[]? _branches;    // null where experts are routed

    public Gpt2Block(Gpt2Configuration configuration, WeightInitializer initializer)
        : base(nameof(Gpt2Block))
    {
        int width = configuration.Width;
        _heads = configuration.Heads;
        _normEpsilon = configuration.NormEpsilon;
        ln_1 = nn.LayerNorm(width, configuration.NormEpsilon);
        c_attn = initializer.CreateLinear(width, 3 * width, bias: true);
        c_proj = initializer.CreateLinear(width, width, bias: true, configuration.ResidualDivisor);
        ln_2 = nn.LayerNorm(width, configuration.NormEpsilon);
        if (configuration.Experts > 0)
            moe = CreateMixture(configuration, initializer);
        else
            mlp = CreateFeedForward(configuration, initializer);
        dropout = new SeededDropout(configuration.Dropout);
        attentionDropout = new SeededDropout(configuration.AttentionDropout);
        if (mlp is not null)
        {
            _branches =
            [
                new ResidualBranch(ln_1.ToNorm(_normEpsilon), new Attention(c_attn, c_proj, new HeadCounts(_heads, _heads)), dropout),
                new ResidualBranch(ln_2.ToNorm(_normEpsilon), mlp, dropout),
            ];
        }
        RegisterComponents();
    }

    private protected override IReadOnlyList<ResidualBranch>? Branches => attentionDropout.IsActive ? null : _branches;

    internal override long AttentionWidth => c_proj.Weight.Inputs;

    internal override bool HasRouter => moe is not null;

    internal override Routing? Routing => moe?.Routing;

    public override void ReseedDropout(long seed)
    {
        base.ReseedDropout(seed);
        dropout.Reseed(seed);
        attentionDropout.Reseed(~seed);
    }

    /// <summary>[B,T,C] to [B,T,C].</summary>
    /// <param name="input">Hidden states, [B,T,C].</param>
    /// <param name="layout">How rows are arranged in them.</param>
    public override Tensor forward(Tensor input, SequenceLayout layout)
    {
        Tensor mixed = layout.ApplyPerRow(c_attn.call(ln_1.Apply(input, _normEpsilon)), projected => Attend(projected, layout.Cache));
        Tensor hidden = input.Plus(dropout.call(c_proj.call(mixed)));
        Tensor normalized = ln_2.Apply(hidden, _normEpsilon);
        return hidden.Plus(dropout.call(moe?.call(normalized, layout) ?? mlp!.call(normalized)));
    }

    // [B,T,3C] to [B,T,C].
    private Tensor Attend(Tensor projected, KeyValueCache? cache)
    {
        long rows = projected.shape[0], length = projected.shape[1], width = projected.shape[2] / 3;
        Tensor[] qkv = projected.view(rows, length, 3, _heads, width / _heads).permute(2, 0, 3, 1, 4).unbind(0);   // 3 of [B,H,T,C/H]
        AttentionHeads heads = new(qkv[0], qkv[1], qkv[2]);
        Tensor mixed = cache is null
            ? CausalAttention.Attend(heads, dropout: attentionDropout)
            : CausalAttention.AttendCached(heads, this, cache);                                                    // [B,H,T,C/H]
        return mixed.transpose(1, 2).reshape(rows, length, width);                                                 // [B,T,C]
    }

    // The block's attention as one layer, with a backward pass.
    private sealed class Attention(AdaptableLinear c_attn, AdaptableLinear c_proj, HeadCounts counts) : IBackwardLayer
    {
        public Tensor Forward(Tensor input, Tape tape)
        {
            Tensor heads = c_attn.Forward(input, tape).view(input.shape[0], 3L * counts.Queries, -1);               // [P,3H,C/H]
            RowAttention attention = RowAttention.Attend(heads, counts, tape);
            Tensor result = c_proj.Forward(attention.JoinResults(), tape);
            tape.Keep(attention);
            return result;
        }

        public Tensor Backward(Tensor gradient, Tensor input, Tape tape)
        {
            using RowAttention attention = tape.Take<RowAttention>();
            Tensor headGradient = attention.Backward(c_proj.Backward(gradient, attention.JoinResults(), tape));
            return c_attn.Backward(headGradient.flatten(1), input, tape);
        }
    }

    private static FeedForward CreateFeedForward(Gpt2Configuration configuration, WeightInitializer initializer) => new(
        initializer.CreateLinear(configuration.Width, configuration.InnerWidth, bias: true),
        initializer.CreateLinear(configuration.InnerWidth, configuration.Width, bias: true, configuration.ResidualDivisor),
        configuration.Activation);

    private static MixtureOfExperts CreateMixture(Gpt2Configuration configuration, WeightInitializer initializer) => new(
        initializer.CreateLinear(configuration.Width, configuration.Experts, bias: true),
        [.. Enumerable.Range(0, configuration.Experts).Select(_ => CreateFeedForward(configuration, initializer))],
        configuration.ExpertsPerToken,
        weightsSumToOne: false);
}
