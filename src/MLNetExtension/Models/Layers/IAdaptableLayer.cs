namespace MLNetExtension.Models.Layers;

/// <summary>A linear layer that can have low-rank adapters.</summary>
internal interface IAdaptableLayer
{
    /// <summary>The weight, [R,C]: C inputs, R outputs.</summary>
    LinearWeight Weight { get; }

    /// <summary>Its adapters, in the order in which they were added.</summary>
    IReadOnlyList<LowRankAdapter> Adapters { get; }

    /// <summary>Adds an adapter, which the layer then owns.</summary>
    /// <param name="adapter">Its rows are not those of another adapter.</param>
    void Add(LowRankAdapter adapter);

    /// <summary>Removes an adapter and frees it.</summary>
    /// <param name="adapter">One of this layer.</param>
    /// <param name="merge">Whether its product is added to the weight, so that the layer computes the same, up to rounding.</param>
    void Remove(LowRankAdapter adapter, bool merge);
}
