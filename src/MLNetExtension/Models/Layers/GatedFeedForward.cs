using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>A gated feed-forward network (Shazeer 2020, "GLU variants"): down(activation(gate(x)) * up(x)). C width, F inner width.</summary>
internal sealed class GatedFeedForward : nn.Module<Tensor, Tensor>, IBackwardLayer
{
    private readonly Activation _activation;
    private readonly AdaptableLinear gate_up, down;

    /// <summary>Joins the layers.</summary>
    /// <param name="gate_up">C to 2F: gate and up in one matrix, so that there is one multiplication instead of two.</param>
    /// <param name="down">F to C.</param>
    /// <param name="activation">Applied to the gate.</param>
    public GatedFeedForward(AdaptableLinear gate_up, AdaptableLinear down, Activation activation)
        : base(nameof(GatedFeedForward))
    {
        _activation = activation;
        this.gate_up = gate_up;
        this.down = down;
        RegisterComponents();
    }

    /// <summary>[...,C] to [...,C].</summary>
    /// <param name="input">Hidden states.</param>
    public override Tensor forward(Tensor input)
    {
        Tensor[] gateAndUp = gate_up.call(input).chunk(2, -1);     // 2 of [...,F]
        return down.call(_activation.Apply(gateAndUp[0]) * gateAndUp[1]);
    }

    /// <inheritdoc/>
    public Tensor Forward(Tensor input, Tape tape)
    {
        Tensor both = gate_up.Forward(input, tape);                                // [P,2F]
        Tensor output = down.Forward(_activation.ApplyGated(both, tape), tape);    // [P,C]
        tape.Keep(both);
        return output;
    }

    /// <inheritdoc/>
    public Tensor Backward(Tensor gradient, Tensor input, Tape tape)
    {
        using Tensor both = tape.Take();
        LayerPass product = _activation.RunGated(both, tape);
        Tensor bothGradient = product.Backward(down.Backward(gradient, product.Output, tape));      // [P,2F]
        return gate_up.Backward(bothGradient, input, tape);
    }
}
