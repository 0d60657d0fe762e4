using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>The feed-forward network of GPT-2: c_proj(activation(c_fc(x))). C width, F inner width.</summary>
internal sealed class FeedForward : nn.Module<Tensor, Tensor>, IBackwardLayer
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

    /// <inheritdoc/>
    public Tensor Forward(Tensor input, Tape tape)
    {
        Tensor inner = c_fc.Forward(input, tape);                                  // [P,F]
        Tensor output = c_proj.Forward(_activation.Apply(inner, tape), tape);      // [P,C]
        tape.Keep(inner);
        return output;
    }

    /// <inheritdoc/>
    public Tensor Backward(Tensor gradient, Tensor input, Tape tape)
    {
        using Tensor inner = tape.Take();
        LayerPass activation = _activation.Run(inner, tape);
        Tensor innerGradient = activation.Backward(c_proj.Backward(gradient, activation.Output, tape));
        return c_fc.Backward(innerGradient, input, tape);
    }
}
