using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Lora;

/// <summary>A linear layer, x W' + b, to whose weight low-rank adapters may be added, each to rows of its own. C inputs, R outputs.</summary>
internal sealed class AdaptableLinear : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly Parameter? bias;
    private readonly List<LowRankAdapter> _adapters = [];       // in the order in which they came, which is that of their parameters
    private Piece[] _pieces = [];

    /// <summary>Makes a layer without adapters.</summary>
    /// <param name="weight">[R,C].</param>
    /// <param name="bias">[R], or null.</param>
    public AdaptableLinear(Parameter weight, Parameter? bias)
        : base(nameof(AdaptableLinear))
    {
        this.weight = weight;
        this.bias = bias;
        // They stay with the layer whatever scope it is made in.
        weight.DetachFromDisposeScope();
        bias?.DetachFromDisposeScope();
        RegisterComponents();
    }

    /// <summary>C, the number of inputs.</summary>
    public long Inputs => weight.shape[1];

    /// <summary>R, the number of outputs.</summary>
    public long Outputs => weight.shape[0];

    /// <summary>Adds an adapter, which becomes the layer's.</summary>
    /// <param name="adapter">Its rows are rows of the weight that no other adapter has.</param>
    public void Add(LowRankAdapter adapter)
    {
        adapter.train(training);
        register_module(NameOf(adapter), adapter);
        _adapters.Add(adapter);
        _pieces = [.. Pieces()];
    }

    /// <summary>Adds adapters as another layer has, whose weights hold nothing yet.</summary>
    /// <param name="other">A layer of the same shape.</param>
    public void AddAdaptersOf(AdaptableLinear other) => other._adapters.ForEach(adapter => Add(adapter.WithoutWeights()));

    /// <summary>Takes an adapter away and frees it.</summary>
    /// <param name="adapter">One of this layer.</param>
    /// <param name="merge">Whether its product is added to the weight, so that the layer computes what it did, to rounding.</param>
    public void Remove(LowRankAdapter adapter, bool merge)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (merge)
        {
            Tensor rows = weight.detach().narrow(0, adapter.FirstRow, adapter.Rows), product = adapter.Product();
            rows.copy_(rows.to(product.dtype) + product);
        }
        register_module(NameOf(adapter), null!);
        _adapters.Remove(adapter);
        _pieces = [.. Pieces()];
        adapter.Dispose();
    }

    /// <summary>Starts the random numbers of the adapters' dropout anew.</summary>
    /// <param name="seed">The seed.</param>
    public void ReseedDropout(long seed)
    {
        for (int k = 0; k < _adapters.Count; k++)
            _adapters[k].ReseedDropout(unchecked(seed + k));
    }

    /// <summary>[...,C] to [...,R].</summary>
    /// <param name="input">Any number of vectors.</param>
    public override Tensor forward(Tensor input)
    {
        Tensor output = nn.functional.linear(input, weight, bias);
        return _pieces.Length switch
        {
            0 => output,
            1 => _pieces[0].Apply(input, output),
            _ => cat([.. output.split([.. _pieces.Select(piece => piece.Rows)], -1).Zip(_pieces, (part, piece) => piece.Apply(input, part))], -1),
        };
    }

    // The name says where the adapter acts, so that a replica's is the same.
    private static string NameOf(LowRankAdapter adapter) => $"adapter_{adapter.FirstRow}";

    private IEnumerable<Piece> Pieces()
    {
        if (_adapters.Count == 0)
            yield break;
        long at = 0;
        foreach (LowRankAdapter adapter in _adapters.OrderBy(adapter => adapter.FirstRow))
        {
            if (adapter.FirstRow > at)
                yield return new Piece(adapter.FirstRow - at, null);
            yield return new Piece(adapter.Rows, adapter);
            at = adapter.FirstRow + adapter.Rows;
        }
        if (Outputs > at)
            yield return new Piece(Outputs - at, null);
    }

    // Rows of the weight with the adapter that acts on them, if any.
    private readonly record struct Piece(long Rows, LowRankAdapter? Adapter)
    {
        // The sum is taken in the wider of the two types and rounded once.
        public Tensor Apply(Tensor input, Tensor output) => Adapter is null ? output : (output + Adapter.call(input)).to(output.dtype);
    }
}
