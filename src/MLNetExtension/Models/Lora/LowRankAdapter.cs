using MLNetExtension.Models.Layers;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Lora;

/// <summary>
/// What is added to some rows of a linear layer's weight (Hu et al. 2021, "LoRA"): the product s B A of two narrow matrices, which are trained while the weight is not.
/// C inputs, R rows, r rank, s scale.
/// </summary>
internal sealed class LowRankAdapter : nn.Module<Tensor, Tensor>
{
    private readonly double _scale, _dropoutProbability;
    private readonly Parameter lora_A, lora_B;
    private readonly SeededDropout dropout;

    /// <summary>Makes an adapter that adds nothing, on the CPU.</summary>
    /// <param name="inputs">C.</param>
    /// <param name="firstRow">Where in the weight its rows begin.</param>
    /// <param name="rows">R.</param>
    /// <param name="rank">r.</param>
    /// <param name="scale">s.</param>
    /// <param name="dropout">Share of the inputs that training zeroes, for the adapter alone.</param>
    /// <param name="dtype">Type of its weights, in which it computes.</param>
    public LowRankAdapter(long inputs, long firstRow, long rows, long rank, double scale, double dropout, ScalarType dtype)
        : base(nameof(LowRankAdapter))
    {
        (FirstRow, Rows, _scale, _dropoutProbability) = (firstRow, rows, scale, dropout);
        lora_A = nn.Parameter(zeros(rank, inputs, dtype: dtype));
        lora_B = nn.Parameter(zeros(rows, rank, dtype: dtype));
        // It stays with a layer whatever scope it is made in.
        lora_A.DetachFromDisposeScope();
        lora_B.DetachFromDisposeScope();
        this.dropout = new SeededDropout(dropout);
        RegisterComponents();
    }

    /// <summary>Where in the weight its rows begin.</summary>
    public long FirstRow { get; }

    /// <summary>R, the number of its rows.</summary>
    public long Rows { get; }

    /// <summary>A, [r,C].</summary>
    public Parameter A => lora_A;

    /// <summary>B, [R,r].</summary>
    public Parameter B => lora_B;

    /// <summary>Starts the random numbers of dropout anew.</summary>
    /// <param name="seed">The seed.</param>
    public void ReseedDropout(long seed) => dropout.Reseed(seed);

    /// <summary>Makes an adapter of the same shape and settings, on the CPU.</summary>
    public LowRankAdapter WithoutWeights() => new(A.shape[1], FirstRow, Rows, A.shape[0], _scale, _dropoutProbability, A.dtype);

    /// <summary>s B A, [R,C], without a gradient.</summary>
    public Tensor Product() => B.detach().matmul(A.detach()) * _scale;

    /// <summary>[...,C] in any floating-point type to [...,R] in the adapter's.</summary>
    /// <param name="input">What the layer is given.</param>
    public override Tensor forward(Tensor input)
    {
        Tensor narrow = nn.functional.linear(dropout.call(input.to(A.dtype)), A) * _scale;      // [...,r]
        return nn.functional.linear(narrow, B);
    }
}
