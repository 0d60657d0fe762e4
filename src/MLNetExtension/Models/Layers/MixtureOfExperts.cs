using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// Feed-forward networks, the experts, of which a router picks some for each token (Shazeer et al. 2017; Fedus, Zoph and Shazeer 2021, "Switch Transformer"): the K likeliest
/// experts of a token, weighted by the router's probabilities. No expert has a capacity, so no token is dropped and a row's result does not depend
/// on the rows beside it. P positions, n of them real, C width, E experts.
/// </summary>
internal sealed class MixtureOfExperts : nn.Module<Tensor, SequenceLayout, Tensor>
{
    private readonly int _perToken;
    private readonly bool _weightsSumToOne;
    private readonly AdaptableLinear router;
    private readonly ModuleList<nn.Module<Tensor, Tensor>> experts;

    /// <summary>Joins a router and experts.</summary>
    /// <param name="router">C to E.</param>
    /// <param name="experts">E networks, each [...,C] to [...,C].</param>
    /// <param name="perToken">K, how many experts a token passes through.</param>
    /// <param name="weightsSumToOne">Whether a token's weights are its experts' probabilities among the K chosen (Jiang et al. 2024, "Mixtral") or among all E.</param>
    public MixtureOfExperts(AdaptableLinear router, nn.Module<Tensor, Tensor>[] experts, int perToken, bool weightsSumToOne)
        : base(nameof(MixtureOfExperts))
    {
        _perToken = perToken;
        _weightsSumToOne = weightsSumToOne;
        this.router = router;
        this.experts = nn.ModuleList(experts);
        RegisterComponents();
    }

    /// <summary>The share of the experts that a token passes through, K / E.</summary>
    public double ActiveShare => _perToken / (double)experts.Count;

    /// <summary>The router, whose choices jump: it is not rounded.</summary>
    public AdaptableLinear Router => router;

    /// <summary>The router's decisions in the last forward pass of training; null before one.</summary>
    public Routing? Routing { get; private set; }

    /// <summary>[B,T,C] to [B,T,C]; zero where padded.</summary>
    /// <param name="input">Hidden states, [B,T,C].</param>
    /// <param name="layout">How rows are arranged in them.</param>
    public override Tensor forward(Tensor input, SequenceLayout layout)
    {
        Tensor? real = layout.FindRealPositions(input.device);
        Tensor positions = input.flatten(0, 1);                                                         // [P,C]
        Tensor tokens = real is null ? positions : positions.index_select(0, real);                     // [n,C]
        Tensor probabilities = nn.functional.softmax(router.call(tokens), 1);                           // [n,E]
        (Tensor weights, Tensor selected) = probabilities.topk(_perToken, 1);                           // [n,K]
        if (_weightsSumToOne)
            weights = weights / weights.sum(dim: 1, keepdim: true);
        if (training)
            Routing = new Routing(probabilities, selected);

        Tensor mixed = MixExperts(tokens, weights, selected);                                           // [n,C]
        Tensor result = real is null ? mixed : zeros_like(positions).index_add(0, real, mixed, Scalars.One);      // [P,C]
        return result.view(input.shape);                                                                // [B,T,C]
    }

    // [n,C], [n,K] and [n,K] to [n,C].
    private Tensor MixExperts(Tensor tokens, Tensor weights, Tensor selected)
    {
        Tensor mixed = zeros_like(tokens);
        // Sorted by expert, so that the counts of all are read at once: on a GPU each look waits for all that was started.
        (Tensor sorted, Tensor order) = sort(selected.flatten(), stable: true);                         // [nK] each: expert; token times K plus rank
        long[] counts = sorted.eq(arange(Scalars.Of(experts.Count), device: sorted.device).unsqueeze(1)).sum(1).cpu().data<long>().ToArray();
        long start = 0;
        for (int e = 0; e < experts.Count; start += counts[e++])
        {
            if (counts[e] == 0)
                continue;
            Tensor chosen = order.narrow(0, start, counts[e]), token = chosen.div(Scalars.Of(_perToken), RoundingMode.floor);   // [m]
            Tensor weight = weights.flatten().index_select(0, chosen).unsqueeze(1);                     // [m,1]
            Tensor output = experts[e].call(tokens.index_select(0, token)) * weight;                    // [m,C]
            mixed = mixed.index_add(0, token, output, Scalars.One);
        }
        return mixed;
    }
}
