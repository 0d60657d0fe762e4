using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>A norm of vectors, [P,C] to [P,C]. P positions, C width.</summary>
internal interface INorm
{
    /// <summary>Computes the norm.</summary>
    /// <param name="input">[P,C].</param>
    Tensor Apply(Tensor input);

    /// <summary>Computes the norm so that its backward pass can follow.</summary>
    /// <param name="input">[P,C]; its memory stays as it is until then.</param>
    NormPass Run(Tensor input);
}

/// <summary>A norm that has been computed and can go back.</summary>
/// <param name="Output">What <see cref="INorm.Apply"/> returns.</param>
/// <param name="Backward">Adds the gradient of the norm's parameters and computes that of its input, from that of its output, [P,C], whose memory it may use.</param>
internal sealed record NormPass(Tensor Output, Func<Tensor, Tape, Tensor> Backward);
