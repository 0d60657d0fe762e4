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
        Tensor[] gateAndUp = both.chunk(2, -1);
        Tensor output = down.Forward(_activation.Apply(gateAndUp[0]).mul_(gateAndUp[1]), tape);
        tape.Keep(both);
        return output;
    }

    /// <inheritdoc/>
    public Tensor Backward(Tensor gradient, Tensor input, Tape tape)
    {
        using Tensor both = tape.Take();
        Tensor[] gateAndUp = both.chunk(2, -1);
        LayerPass gate = _activation.Run(gateAndUp[0]);
        Tensor productGradient = down.Backward(gradient, gate.Output * gateAndUp[1], tape);         // [P,F]
        Tensor gateGradient = gate.Backward(productGradient * gateAndUp[1]);
        // In the memory of the values, which are not needed any more.
        gateAndUp[0].copy_(gateGradient);
        gateAndUp[1].copy_(productGradient.mul_(gate.Output));
        return gate_up.Backward(both, input, tape);
    }
}
