using static TorchSharp.torch;

namespace MLNetExtension.Losses;

/// <summary>
/// The load-balancing loss of a router (Fedus, Zoph and Shazeer 2021, arXiv 2101.03961, equations 4 to 6): <c>alpha E sum_e f_e P_e</c>, where f_e is the share of tokens that
/// went to expert e and P_e the mean probability that the router gave it. Smallest, alpha K, where experts are used alike. n tokens, E experts, K for each token.
/// </summary>
/// <remarks>
/// f_e is a count and carries no gradient, so the loss is linear in the probabilities and falls apart into a sum over tokens: given the shares of a whole batch, its
/// micro-batches' sums add up to the batch's loss, however it is split. That is the idea of Qiu et al. 2025, arXiv 2501.11873, made exact.
/// </remarks>
internal static class RouterBalanceLoss
{
    /// <summary>Counts how often each expert was chosen.</summary>
    /// <param name="selected">Chosen experts, [n,K] int64.</param>
    /// <param name="experts">E.</param>
    /// <returns>[E] float64.</returns>
    public static Tensor Counts(Tensor selected, long experts) =>
        zeros(experts, dtype: float64, device: selected.device).index_add(0, selected.flatten(), ones(selected.numel(), dtype: float64, device: selected.device), Scalars.One);

    /// <summary>Sums over tokens what each adds to <c>E sum_e f_e P_e</c>: that expression times n, where the shares are those of the same tokens.</summary>
    /// <param name="probabilities">The router's softmax, [n,E].</param>
    /// <param name="shares">f_e, [E] float64, without a gradient.</param>
    /// <returns>A scalar, float64, with a gradient.</returns>
    public static Tensor Sum(Tensor probabilities, Tensor shares) =>
        (probabilities.to(float64).sum(dim: 0) * shares).sum() * Scalars.Of(probabilities.shape[1]);
}
