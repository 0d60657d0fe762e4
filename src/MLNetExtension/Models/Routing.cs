using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>What a block's router decided for the n real tokens of its last forward pass, padding left out. E experts, K of them for each token.</summary>
/// <param name="Probabilities">The router's softmax, [n,E]; carries the gradient.</param>
/// <param name="Selected">Experts that each token passed through, [n,K] int64.</param>
internal sealed record Routing(Tensor Probabilities, Tensor Selected);
