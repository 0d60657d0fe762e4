using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>GPT-2's feed-forward network: C to its inner width, an activation, and back.</summary>
internal sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    private readonly Activation _activation;
    private readonly AdaptableLinear c_fc, c_proj;

    public FeedForward(Gpt2Configuration configuration, Gpt2Initializer initializer)
        : base(nameof(FeedForward))
    {
        _activation = configuration.Activation;
        c_fc = initializer.Linear(configuration.Width, configuration.InnerWidth);
        c_proj = initializer.ResidualLinear(configuration.InnerWidth, configuration.Width);
        RegisterComponents();
    }

    /// <summary>[...,C] to [...,C].</summary>
    /// <param name="input">Hidden states.</param>
    public override Tensor forward(Tensor input) => c_proj.call(_activation.Apply(c_fc.call(input)));
}
