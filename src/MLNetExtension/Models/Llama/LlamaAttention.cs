using MLNetExtension.Models.Layers;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Llama;

/// <summary>
/// Attention with rotary positions and heads that share keys and values. B rows, T positions, C width, H heads of queries, G of keys and of values, D width of a head.
/// </summary>
internal sealed class LlamaAttention : nn.Module<Tensor, SequenceLayout, Tensor>, IBackwardLayer
{
    private readonly LlamaConfiguration _configuration;
    private readonly RotaryEmbedding? _rotary;
    private readonly HeadCounts _counts;
    private readonly AdaptableLinear qkv, output;        // queries, keys and values are one matrix, [(H+2G)D,C]: one multiplication instead of three
    private readonly RmsNorm? q_norm, k_norm;
    private readonly SeededDropout dropout;

    public LlamaAttention(LlamaConfiguration configuration, int layer, RotaryEmbedding rotary, WeightInitializer initializer)
        : base(nameof(LlamaAttention))
    {
        _configuration = configuration;
        _rotary = configuration.IsRotated(layer) ? rotary : null;
        AttentionRule rule = new(configuration.WindowOf(layer), Math.Sqrt(configuration.HeadWidth / configuration.ScoreScalar), configuration.ScoreCap);
        _counts = new HeadCounts(configuration.Heads, configuration.KeyValueHeads, rule);
        long width = configuration.HeadWidth, heads = configuration.Heads + 2 * configuration.KeyValueHeads;
        qkv = initializer.CreateLinear(configuration.Width, heads * width, configuration.QueryKeyValueBias);
        output = initializer.CreateLinear(configuration.Heads * width, configuration.Width, configuration.AttentionOutputBias);
        if (configuration.QueryKeyNorm)
        {
            q_norm = initializer.CreateRmsNorm(configuration.QueryNormWidth, configuration.NormEpsilon, configuration.NormsAddOne);
            k_norm = initializer.CreateRmsNorm(configuration.KeyNormWidth, configuration.NormEpsilon, configuration.NormsAddOne);
        }
        dropout = new SeededDropout(configuration.AttentionDropout);
        RegisterComponents();
    }

    /// <summary>H D, the widths of all heads together.</summary>
    public long Width => output.Weight.Inputs;

    /// <summary>Restarts the random numbers of dropout.</summary>
    public void ReseedDropout(long seed) => dropout.Reseed(seed);

    /// <summary>[B,T,C] to [B,T,C].</summary>
    /// <param name="input">Normalized hidden states, [B,T,C].</param>
    /// <param name="layout">How rows are arranged in them.</param>
    public override Tensor forward(Tensor input, SequenceLayout layout)
    {
        long rows = input.shape[0], length = input.shape[1], groups = _configuration.KeyValueHeads, rotated = _configuration.Heads + groups;
        Tensor heads = qkv.call(input).view(rows, length, rotated + groups, -1);                                  // [B,T,H+2G,D]
        Tensor queriesAndKeys = heads.narrow(2, 0, rotated), values = heads.narrow(2, rotated, groups);
        if (q_norm is not null)
            queriesAndKeys = cat([Normalize(q_norm, heads.narrow(2, 0, _configuration.Heads)), Normalize(k_norm!, heads.narrow(2, _configuration.Heads, groups))], 2);
        if (_rotary is not null)
            queriesAndKeys = _rotary.Rotate(queriesAndKeys, layout);
        Tensor mixed = layout.ApplyPerRow([queriesAndKeys, values], rows => Attend(rows[0], rows[1], layout.Cache));           // [B,T,H D]
        return output.call(mixed);
    }

    /// <summary>Whether dropout zeroes attention probabilities now.</summary>
    public bool DropsProbabilities => dropout.IsActive;

    /// <inheritdoc/>
    public Tensor Forward(Tensor input, Tape tape)
    {
        Tensor heads = qkv.Forward(input, tape).view(input.shape[0], _configuration.Heads + 2 * _configuration.KeyValueHeads, -1);  // [P,H+2G,D]
        RowAttention attention = RowAttention.Attend(Prepare(heads, tape.Layout), _counts, tape);
        Tensor result = output.Forward(attention.JoinResults(), tape);
        tape.Keep(attention);
        if (q_norm is not null)
            tape.Keep(heads);
        return result;
    }

    /// <inheritdoc/>
    public Tensor Backward(Tensor gradient, Tensor input, Tape tape)
    {
        using Tensor? heads = q_norm is null ? null : tape.Take();
        using RowAttention attention = tape.Take<RowAttention>();
        Tensor headGradient = attention.Backward(output.Backward(gradient, attention.JoinResults(), tape));
        Tensor queriesAndKeys = headGradient.narrow(1, 0, _configuration.Heads + _configuration.KeyValueHeads);
        _rotary?.RotateInPlace(queriesAndKeys, tape.Layout, back: true);
        if (heads is not null)
        {
            NormBackward(queriesAndKeys, heads, 0, _configuration.Heads, q_norm!, tape);
            NormBackward(queriesAndKeys, heads, _configuration.Heads, _configuration.KeyValueHeads, k_norm!, tape);
        }
        return qkv.Backward(headGradient.flatten(1), input, tape);
    }

    // Normalizes and rotates queries and keys, [P,H+2G,D]; in place where they are not normalized, since a rotation can be undone.
    private Tensor Prepare(Tensor heads, SequenceLayout layout)
    {
        Tensor prepared = heads;
        if (q_norm is not null)
        {
            prepared = heads.clone();
            prepared.narrow(1, 0, _configuration.Heads).copy_(Normalize(q_norm, heads.narrow(1, 0, _configuration.Heads)));
            prepared.narrow(1, _configuration.Heads, _configuration.KeyValueHeads).copy_(Normalize(k_norm!, heads.narrow(1, _configuration.Heads, _configuration.KeyValueHeads)));
        }
        _rotary?.RotateInPlace(prepared.narrow(1, 0, _configuration.Heads + _configuration.KeyValueHeads), layout);
        return prepared;
    }

    private static void NormBackward(Tensor gradient, Tensor heads, long first, long count, RmsNorm norm, Tape tape)
    {
        Tensor part = gradient.narrow(1, first, count), input = heads.narrow(1, first, count).reshape(-1, norm.Width);
        part.copy_(norm.Run(input, tape).Backward(part.reshape(-1, norm.Width)).view(part.shape));
    }

    // The norm's width says whether each head is a vector, or all heads of a position together are one.
    private static Tensor Normalize(RmsNorm norm, Tensor heads) => norm.call(heads.reshape(-1, norm.Width)).view(heads.shape);

    // [B,T,H+G,D] and [B,T,G,D] to [B,T,H D]
    private Tensor Attend(Tensor queriesAndKeys, Tensor values, KeyValueCache? cache)
    {
        Tensor q = queriesAndKeys.narrow(2, 0, _configuration.Heads).transpose(1, 2);                             // [B,H,T,D]
        Tensor k = queriesAndKeys.narrow(2, _configuration.Heads, _configuration.KeyValueHeads).transpose(1, 2);  // [B,G,T,D]
        Tensor v = values.transpose(1, 2);                                                                        // [B,G,T,D]
        AttentionHeads heads = new(q, k, v);
        Tensor mixed = cache is null
            ? CausalAttention.Attend(heads, _counts.Rule, dropout)
            : CausalAttention.AttendCached(heads, this, cache, _counts.Rule);                                     // [B,H,T,D]
        return mixed.transpose(1, 2).flatten(2);                                                                  // [B,T,H D]
    }
}
