using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>A model that says of what lies before its first block and after its last how it goes back, so that neither makes tensors of its own. P positions, C width.</summary>
internal interface IBackwardEnds
{
    /// <summary>The norm of what the head reads.</summary>
    INorm FinalNorm { get; }

    /// <summary>Computes <see cref="CausalLanguageModel.AddPositions"/> in place, without a gradient.</summary>
    /// <param name="tokens">Embedded tokens, [P,C].</param>
    /// <param name="tape">Keeps what the backward pass needs.</param>
    void AddPositions(Tensor tokens, Tape tape);

    /// <summary>Adds the gradients of the parameters, and computes that of the embedded tokens in place.</summary>
    /// <param name="gradient">Of the result, [P,C].</param>
    /// <param name="tape">What the forward pass kept.</param>
    void AddPositionsBack(Tensor gradient, Tape tape);
}
