using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>The feed-forward network of GPT-2: c_proj(activation(c_fc(x))). C width, F inner width.</summary>
internal sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    private readonly Activation _activation;
    private readonly AdaptableLinear c_fc, c_proj;

    /// <summary>Joins the layers.</summary>
    /// <param name="c_fc">C to F.</param>
    /// <param name="c_proj">F to C.</param>
    /// <param name="activation">Applied between them.</param>
    public FeedForward(AdaptableLinear c_fc, AdaptableLinear c_proj, Activation activation)
        : base(nameof(FeedForward))
    {
        _activation = activation;
        this.c_fc = c_fc;
        this.c_proj = c_proj;
        RegisterComponents();
    }

    /// <summary>[...,C] to [...,C].</summary>
    /// <param name="input">Hidden states.</param>
    public override Tensor forward(Tensor input) => c_proj.call(_activation.Apply(c_fc.call(input)));
}
