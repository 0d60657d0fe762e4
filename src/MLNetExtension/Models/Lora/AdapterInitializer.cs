using MLNetExtension.Models.Layers;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Lora;

/// <summary>Sets the weights of new adapters, so that they change nothing of what the model computes. C inputs, R rows, r rank, s scale.</summary>
/// <param name="options">The adapters' settings.</param>
/// <param name="seed">The same seed gives the same weights.</param>
internal sealed class AdapterInitializer(LoraOptions options, long seed) : IDisposable
{
    private readonly Generator _generator = new((ulong)seed);

    /// <summary>Sets the weights of an adapter.</summary>
    /// <param name="module">Its layer.</param>
    /// <param name="adapter">The adapter, of zeros.</param>
    /// <exception cref="ArgumentException">The rank is larger than the layer's own, where that matters.</exception>
    public void Fill(AdaptableModule module, LowRankAdapter adapter)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        switch (options.Initialization)
        {
            // Uniform between -1/sqrt(C) and 1/sqrt(C), like a linear layer's weight.
            case LoraInitialization.Kaiming:
                adapter.A.copy_((rand(adapter.A.shape, dtype: float64, generator: _generator) * Scalars.Of(2) - Scalars.Of(1)) / Scalars.Of(Math.Sqrt(module.Inputs)));
                break;
            case LoraInitialization.Gaussian:
                adapter.A.copy_(Normal(adapter.A.shape) / Scalars.Of(options.Rank));
                break;
            case LoraInitialization.Orthogonal:
                FillOrthogonal(adapter);
                break;
            case LoraInitialization.Pissa:
                FillWithPrincipalPart(module, adapter);
                adapter.KeepInitialProduct();
                break;
        }
        if (options.UseDora)
            adapter.ResetMagnitude(module.Linear.Weight);
    }

    /// <summary>Frees the generator.</summary>
    public void Dispose() => _generator.Dispose();

    // Odd and even rows of a rotation are at right angles, so that B A is zero.
    private void FillOrthogonal(LowRankAdapter adapter)
    {
        long half = options.Rank / 2;
        Tensor halves = linalg.qr(Normal([options.Rank, options.Rank])).Q.view(half, 2, options.Rank);
        adapter.A.copy_(Normal([adapter.A.shape[1], half]).mm(halves.select(1, 0)).t() / Scalars.Of(10));      // [C,r/2] [r/2,r]
        adapter.B.copy_(Normal([adapter.Rows, half]).mm(halves.select(1, 1)) / Scalars.Of(10));                // [R,r/2] [r/2,r]
    }

    // W = U S V': A = sqrt(S / s) V' and B = U sqrt(S / s), of the r largest (PiSSA, equations 2 and 3). By the eigenvalues of the smaller product of W with itself, S squared, in float64, which is several times as fast as
    // a decomposition of W, and for the large ones as exact as float32.
    private void FillWithPrincipalPart(AdaptableModule module, LowRankAdapter adapter)
    {
        Tensor weight = module.Linear.Weight.Rows(module.FirstRow, module.Rows).to(float64);
        long most = Math.Min(module.Rows, module.Inputs);
        if (options.Rank > most)
            throw new ArgumentException($"{nameof(LoraOptions.Rank)} is {options.Rank}, but the weight of '{module.Name}' has only {most} singular values to start from with {nameof(LoraOptions.Initialization)} {options.Initialization}.", nameof(module));
        bool wide = module.Rows < module.Inputs;
        Tensor narrow = wide ? weight.t() : weight;                                                // [long side, short side]
        (Tensor values, Tensor vectors) = linalg.eigh(narrow.t().mm(narrow));                      // ascending
        Tensor roots = values.narrow(0, most - options.Rank, options.Rank).flip(0).clamp_min(Scalars.Zero).sqrt();             // [r], descending
        Tensor right = vectors.narrow(1, most - options.Rank, options.Rank).flip(1);               // [short side,r]
        Tensor share = (roots / Scalars.Of(options.Scale)).sqrt();
        Tensor own = right * share, other = narrow.mm(right) / roots.clamp_min(Scalars.Of(1e-300)) * share;
        adapter.A.copy_((wide ? other : own).t());
        adapter.B.copy_(wide ? own : other);
    }

    private Tensor Normal(long[] shape) => randn(shape, dtype: float64, generator: _generator);
}
