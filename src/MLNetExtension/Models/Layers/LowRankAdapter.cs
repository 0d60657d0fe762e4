using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// A low-rank adapter (Hu et al. 2021, "LoRA"): the product s B A of two narrow matrices is added to some rows of a linear layer's weight, and trained while the weight is not.
/// C inputs, R rows, r rank, s scale.
/// </summary>
internal sealed class LowRankAdapter : nn.Module<Tensor, Tensor>
{
    private readonly Settings _settings;
    private readonly Parameter lora_A, lora_B;
    private readonly SeededDropout dropout;

    /// <summary>Creates an adapter of zeros, which adds nothing, on the CPU.</summary>
    /// <param name="settings">Its sizes and options.</param>
    public LowRankAdapter(Settings settings)
        : base(nameof(LowRankAdapter))
    {
        _settings = settings;
        lora_A = nn.Parameter(zeros(settings.Rank, settings.Inputs, dtype: settings.Dtype));
        lora_B = nn.Parameter(zeros(settings.Rows, settings.Rank, dtype: settings.Dtype));
        // It belongs to a layer, not to the scope it is created in.
        lora_A.DetachFromDisposeScope();
        lora_B.DetachFromDisposeScope();
        dropout = new SeededDropout(settings.Dropout);
        RegisterComponents();
    }

    /// <summary>The first row of the layer's weight that it acts on.</summary>
    public long FirstRow => _settings.FirstRow;

    /// <summary>R, the number of its rows.</summary>
    public long Rows => _settings.Rows;

    /// <summary>A, [r,C].</summary>
    public Parameter A => lora_A;

    /// <summary>B, [R,r].</summary>
    public Parameter B => lora_B;

    /// <summary>Its name in its layer: by the rows, so that a replica's adapter has the same.</summary>
    public string Name => $"adapter_{FirstRow}";

    /// <summary>Gives the rank that the shape of a tensor of an adapter shows, by its name in a model; null for other tensors.</summary>
    public static long? RankOf(string name, long[] shape) => shape.Length != 2 ? null
        : name.EndsWith($".{nameof(lora_A)}", StringComparison.Ordinal) ? shape[0]
        : name.EndsWith($".{nameof(lora_B)}", StringComparison.Ordinal) ? shape[1]
        : null;

    /// <summary>Restarts the random numbers of dropout.</summary>
    /// <param name="seed">The seed.</param>
    public void ReseedDropout(long seed) => dropout.Reseed(seed);

    /// <summary>Creates an adapter of zeros with the same settings, on the CPU.</summary>
    public LowRankAdapter CreateEmpty() => new(_settings with { Dtype = A.dtype });

    /// <summary>Adds s B A, [R,C], to its rows of a weight.</summary>
    /// <param name="weight">The layer's weight.</param>
    public void MergeInto(Tensor weight)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor rows = weight.detach().narrow(0, FirstRow, Rows), product = B.detach().matmul(A.detach()) * _settings.Scale;
        rows.copy_(rows.to(product.dtype) + product);
    }

    /// <summary>[...,C] in any floating-point type to [...,R] in the adapter's.</summary>
    /// <param name="input">The layer's input.</param>
    public override Tensor forward(Tensor input)
    {
        Tensor narrow = nn.functional.linear(dropout.call(input.to(A.dtype)), A) * _settings.Scale;      // [...,r]
        return nn.functional.linear(narrow, B);
    }

    /// <summary>Adds the adapter's product to its rows of the layer's result. The sum is taken in the wider of the two types and rounded once.</summary>
    /// <param name="output">The layer's result, [P,all rows].</param>
    /// <param name="input">The layer's input, [P,C].</param>
    /// <param name="tape">Keeps what the backward pass needs.</param>
    public void AddTo(Tensor output, Tensor input, Tape tape)
    {
        using var scope = NewDisposeScope();
        Tensor wide = input.to(A.dtype), dropped = dropout.IsActive ? dropout.Forward(wide, tape) : wide;
        Tensor narrow = dropped.mm(A.t()).mul_(_settings.Scale), rows = output.narrow(1, FirstRow, Rows);     // [P,r] and [P,R]
        if (rows.dtype == A.dtype)
            rows.addmm_(narrow, B.t());
        else
            rows.copy_(rows + narrow.mm(B.t()));
    }

    /// <summary>Adds the gradients of the adapter's matrices, and what goes back through them to the gradient of the layer's input.</summary>
    /// <param name="gradient">Of the layer's result, [P,all rows].</param>
    /// <param name="input">The layer's input, [P,C].</param>
    /// <param name="inputGradient">Its gradient, [P,C], which is added to.</param>
    /// <param name="tape">What the forward pass kept.</param>
    public void Backward(Tensor gradient, Tensor input, Tensor inputGradient, Tape tape)
    {
        using var scope = NewDisposeScope();
        using Tensor? kept = dropout.IsActive ? tape.Take() : null;
        Tensor wide = input.to(A.dtype), dropped = kept is null ? wide : dropout.Apply(wide, kept);
        Tensor rows = gradient.narrow(1, FirstRow, Rows).to(A.dtype);                                        // [P,R]
        tape.AddProduct(B, rows, dropped.mm(A.t()).mul_(_settings.Scale));
        Tensor narrow = rows.mm(B).mul_(_settings.Scale);                                                    // [P,r]
        tape.AddProduct(A, narrow, dropped);
        if (kept is null && inputGradient.dtype == A.dtype)
            inputGradient.addmm_(narrow, A);
        else
            inputGradient.add_(kept is null ? narrow.mm(A) : dropout.Apply(narrow.mm(A), kept));
    }

    /// <summary>Sizes and options of an adapter.</summary>
    internal sealed record Settings
    {
        /// <summary>C, the number of the layer's inputs.</summary>
        public required long Inputs { get; init; }

        /// <summary>The first row of the layer's weight that it acts on.</summary>
        public required long FirstRow { get; init; }

        /// <summary>R, the number of its rows.</summary>
        public required long Rows { get; init; }

        /// <summary>r, the rank.</summary>
        public required long Rank { get; init; }

        /// <summary>s, the factor of the product.</summary>
        public required double Scale { get; init; }

        /// <summary>Share of the inputs that training zeroes, for the adapter alone; 0 to below 1.</summary>
        public required double Dropout { get; init; }

        /// <summary>Type of its weights, in which it computes.</summary>
        public required ScalarType Dtype { get; init; }
    }
}
