using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

public sealed class EstimatorChain<TLastTransformer> : IEstimator<TransformerChain<TLastTransformer>>
    where TLastTransformer : class, ITransformer
{
    public readonly IEstimator<TLastTransformer> LastEstimator;

    // Null unless something is cached.
    private readonly IHost _host;
    private readonly IReadOnlyList<EstimatorLink> _links;

    public EstimatorChain()
        : this(null, [])
    {
    }

    internal EstimatorChain(IHostEnvironment env, IReadOnlyList<EstimatorLink> links)
    {
        _host = env?.Register(nameof(EstimatorChain<>));
        _links = links;
        LastEstimator = links.Count == 0 ? null : links[^1].Estimator as IEstimator<TLastTransformer>;
    }

    public TransformerChain<TLastTransformer> Fit(IDataView input)
    {
        // Every step's columns are checked before the first is trained.
        GetOutputSchema(SchemaShape.Create(input.Schema));
        List<ITransformer> fitted = [];
        IDataView current = input;
        foreach (EstimatorLink link in _links)
        {
            fitted.Add(link.Estimator.Fit(current));
            current = fitted[^1].Transform(current);
            if (link.CacheAfter && fitted.Count < _links.Count)
                current = new CacheDataView(_host, current, []);
        }
        return new(fitted, _links.Select(l => l.Scope));
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _links.Aggregate(inputSchema, (shape, link) => link.Estimator.GetOutputSchema(shape));

    public EstimatorChain<TNewTrans> Append<TNewTrans>(IEstimator<TNewTrans> estimator, TransformerScope scope = TransformerScope.Everything)
        where TNewTrans : class, ITransformer
    {
        Contracts.CheckValue(estimator, nameof(estimator));
        return new(_host, [.. _links, new EstimatorLink(estimator, scope, false)]);
    }

    public EstimatorChain<TLastTransformer> AppendCacheCheckpoint(IHostEnvironment env)
    {
        Contracts.CheckValue(env, nameof(env));
        if (_links.Count == 0)
            throw new InvalidOperationException("Current estimator chain has no estimator, can't append cache checkpoint.");
        return _links[^1].CacheAfter ? this : new(env, [.. _links.SkipLast(1), _links[^1] with { CacheAfter = true }]);
    }
}

internal sealed record EstimatorLink(IEstimator<ITransformer> Estimator, TransformerScope Scope, bool CacheAfter);
