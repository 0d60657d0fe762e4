using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Llama;

/// <summary>
/// Attention with rotary positions and heads that share keys and values. B rows, T positions, C width, H heads of queries, G of keys and of values, D width of a head.
/// </summary>
internal sealed class LlamaAttention : nn.Module<Tensor, SequenceLayout, Tensor>
{
    private readonly LlamaConfiguration _configuration;
    private readonly RotaryEmbedding? _rotary;
    private readonly int? _window;
    private readonly AdaptableLinear qkv, output;        // queries, keys and values are one matrix, [(H+2G)D,C]: one multiplication instead of three
    private readonly RmsNorm? q_norm, k_norm;
    private readonly SeededDropout dropout;

    public LlamaAttention(LlamaConfiguration configuration, int layer, RotaryEmbedding rotary, WeightInitializer initializer)
        : base(nameof(LlamaAttention))
    {
        _configuration = configuration;
        _rotary = configuration.IsRotated(layer) ? rotary : null;
        _window = configuration.WindowOf(layer);
        long width = configuration.HeadWidth, heads = configuration.Heads + 2 * configuration.KeyValueHeads;
        qkv = initializer.Linear(configuration.Width, heads * width, configuration.QueryKeyValueBias);
        output = initializer.Linear(configuration.Heads * width, configuration.Width, configuration.AttentionOutputBias);
        if (configuration.QueryKeyNorm)
        {
            q_norm = new RmsNorm(width, configuration.NormEpsilon, initializer.Dtype);
            k_norm = new RmsNorm(width, configuration.NormEpsilon, initializer.Dtype);
        }
        dropout = new SeededDropout(configuration.AttentionDropout);
        RegisterComponents();
    }

    public void ReseedDropout(long seed) => dropout.Reseed(seed);

    /// <summary>[B,T,C] to [B,T,C].</summary>
    /// <param name="input">Hidden states, normed, [B,T,C].</param>
    /// <param name="layout">How rows lie in them.</param>
    public override Tensor forward(Tensor input, SequenceLayout layout)
    {
        long rows = input.shape[0], length = input.shape[1], groups = _configuration.KeyValueHeads, turned = _configuration.Heads + groups;
        Tensor heads = qkv.call(input).view(rows, length, turned + groups, -1);                                  // [B,T,H+2G,D]
        Tensor queriesAndKeys = heads.narrow(2, 0, turned), values = heads.narrow(2, turned, groups);
        if (q_norm is not null)
            queriesAndKeys = RmsNorm.Unweighted(queriesAndKeys, _configuration.NormEpsilon) * NormWeights();
        if (_rotary is not null)
            queriesAndKeys = _rotary.Rotate(queriesAndKeys, layout);
        return output.call(layout.PerRow(queriesAndKeys, values, (qk, v) => Mix(qk, v, layout.Cache)));
    }

    // [B,T,H+G,D] and [B,T,G,D] to [B,T,H D]
    private Tensor Mix(Tensor queriesAndKeys, Tensor values, KeyValueCache? cache)
    {
        Tensor q = queriesAndKeys.narrow(2, 0, _configuration.Heads).transpose(1, 2);                             // [B,H,T,D]
        Tensor k = queriesAndKeys.narrow(2, _configuration.Heads, _configuration.KeyValueHeads).transpose(1, 2);  // [B,G,T,D]
        Tensor v = values.transpose(1, 2);                                                                        // [B,G,T,D]
        Tensor mixed = cache is null
            ? CausalAttention.Attend(q, k, v, _window, dropout)
            : CausalAttention.AttendCached(this, cache, q, k, v, _window);                                        // [B,H,T,D]
        return mixed.transpose(1, 2).flatten(2);
    }

    // Queries have one weight and keys another, each the same for all heads: [H+G,D].
    private Tensor NormWeights() =>
        cat([q_norm!.Weight.expand(_configuration.Heads, -1), k_norm!.Weight.expand(_configuration.KeyValueHeads, -1)], 0);
}
