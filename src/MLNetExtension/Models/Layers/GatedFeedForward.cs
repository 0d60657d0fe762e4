using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>A gated feed-forward network (Shazeer 2020, "GLU variants"): down(activation(gate(x)) * up(x)). C width, F inner width.</summary>
internal sealed class GatedFeedForward : nn.Module<Tensor, Tensor>
{
    private readonly Activation _activation;
    private readonly AdaptableLinear gate_up, down;      // gate and up are one matrix, [2F,C]: one multiplication instead of two

    public GatedFeedForward(LlamaConfiguration configuration, WeightInitializer initializer)
        : base(nameof(GatedFeedForward))
    {
        _activation = configuration.Activation;
        gate_up = initializer.Linear(configuration.Width, 2 * configuration.FeedForwardWidth, configuration.FeedForwardBias);
        down = initializer.Linear(configuration.FeedForwardWidth, configuration.Width, configuration.FeedForwardBias);
        RegisterComponents();
    }

    /// <summary>[...,C] to [...,C].</summary>
    /// <param name="input">Hidden states.</param>
    public override Tensor forward(Tensor input)
    {
        Tensor[] gateAndUp = gate_up.call(input).chunk(2, -1);     // 2 of [...,F]
        return down.call(_activation.Apply(gateAndUp[0]) * gateAndUp[1]);
    }
}
