using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>A router's decisions for the n real tokens, padding left out, of a forward pass. E experts, K of them for each token.</summary>
/// <param name="Probabilities">The router's softmax, [n,E]; carries the gradient.</param>
/// <param name="Selected">The experts of each token, [n,K] int64.</param>
internal sealed record Routing(Tensor Probabilities, Tensor Selected)
{
    /// <summary>Lets both live as long as the scope around the present one.</summary>
    public void MoveToOuterDisposeScope()
    {
        Probabilities.MoveToOuterDisposeScope();
        Selected.MoveToOuterDisposeScope();
    }
}
