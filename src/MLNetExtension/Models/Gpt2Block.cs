using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>A pre-norm transformer block: x + attention(norm(x)), then x + feed-forward(norm(x)). B rows, T positions, C width, H heads.</summary>
internal sealed class Gpt2Block : nn.Module<Tensor, Tensor>
{
    private readonly int _heads;
    private readonly LayerNorm ln_1, ln_2;
    private readonly Linear c_attn, c_proj, c_fc, c_out;
    private readonly SeededDropout dropout;

    public Gpt2Block(Gpt2Configuration configuration, Gpt2Initializer initializer)
        : base(nameof(Gpt2Block))
    {
        int width = configuration.Width;
        _heads = configuration.Heads;
        ln_1 = nn.LayerNorm(width);
        c_attn = initializer.Linear(width, 3 * width);
        c_proj = initializer.ResidualLinear(width, width);
        ln_2 = nn.LayerNorm(width);
        c_fc = initializer.Linear(width, 4 * width);
        c_out = initializer.ResidualLinear(4 * width, width);
        dropout = new SeededDropout(configuration.Dropout);
        RegisterComponents();
    }

    public void Reseed(long seed) => dropout.Reseed(seed);

    /// <summary>[B,T,C] to [B,T,C].</summary>
    /// <param name="input">Hidden states, [B,T,C].</param>
    public override Tensor forward(Tensor input)
    {
        Tensor hidden = input + dropout.call(Attention(ln_1.call(input)));
        return hidden + dropout.call(c_out.call(nn.functional.gelu(c_fc.call(ln_2.call(hidden)))));
    }

    // Dropout does not reach into the attention probabilities: fused attention kernels never form them.
    private Tensor Attention(Tensor input)
    {
        long rows = input.shape[0], length = input.shape[1], width = input.shape[2];
        Tensor heads = c_attn.call(input).view(rows, length, 3, _heads, width / _heads).permute(2, 0, 3, 1, 4);   // [3,B,H,T,C/H]
        Tensor mixed = nn.functional.scaled_dot_product_attention(heads[0], heads[1], heads[2], is_casual: true);  // [B,H,T,C/H]
        return c_proj.call(mixed.transpose(1, 2).reshape(rows, length, width));                                    // [B,T,C]
    }
}
