using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>GPT-2's feed-forward network: C to 4C, GELU, and back.</summary>
internal sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    private readonly Linear c_fc, c_proj;

    public FeedForward(int width, Gpt2Initializer initializer)
        : base(nameof(FeedForward))
    {
        c_fc = initializer.Linear(width, 4 * width);
        c_proj = initializer.ResidualLinear(4 * width, width);
        RegisterComponents();
    }

    /// <summary>[...,C] to [...,C].</summary>
    /// <param name="input">Hidden states.</param>
    public override Tensor forward(Tensor input) => c_proj.call(nn.functional.gelu(c_fc.call(input)));
}
