using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Evaluation;

/// <summary>Models small enough for tests, with weights large enough that their predictions are far from uniform.</summary>
internal static class TinyModels
{
    public const int ContextLength = 24;

    public static Gpt2Model Gpt2(ScalarType dtype = ScalarType.Float64, long seed = 1)
    {
        var model = new Gpt2Model(new Gpt2Configuration(257, ContextLength, Layers: 2, Heads: 2, Width: 16, Dropout: 0.5), seed);
        using (no_grad())
        {
            foreach ((string _, Parameter parameter) in model.named_parameters())
            {
                if (parameter.dim() == 2)
                    parameter.mul_(20);
            }
        }

        model.to(dtype);
        model.eval();
        return model;
    }

    /// <summary>What a block of GPT-2 calls first, and once a pass: not where its width is a multiple of 16, for which norms are computed without a call.</summary>
    public static LayerNorm FirstLayer(TransformerBlock block) => (LayerNorm)block.named_children().Single(child => child.name == "ln_1").module;
}
