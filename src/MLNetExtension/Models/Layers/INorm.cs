using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>A norm of vectors, [P,C] to [P,C]. P positions, C width.</summary>
internal interface INorm
{
    /// <summary>Computes the norm.</summary>
    /// <param name="input">[P,C].</param>
    /// <param name="tape">Has memory for the result, which is a temporary of it.</param>
    Tensor Apply(Tensor input, Tape tape);

    /// <summary>Computes the norm so that its backward pass can follow.</summary>
    /// <param name="input">[P,C]; its memory stays as it is until then.</param>
    /// <param name="tape">Knows the sums to which the parameters' gradients are added; has memory for the result, which is a temporary of it.</param>
    LayerPass Run(Tensor input, Tape tape);
}
