using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// A low-rank adapter of some rows W of a linear layer's weight, which is trained while the weight is not. The layer computes with the direction V = W + s (B A - B0 A0) (Hu et al. 2021, "LoRA"), or where the
/// adapter has a magnitude m with m V / |V|, row by row (Liu et al. 2024, "DoRA", arXiv 2402.09353, equation 5). C inputs, R rows, r rank, s scale, P positions.
/// </summary>
/// <remarks>
/// <para>B0 A0 is what B A starts from, where that is not zero (PiSSA): the product is taken off as it is added, so that the weight itself stays as it is.</para>
/// <para>The norm |V| takes part in the backward pass as a constant: section 4.3 of the paper, and what PEFT does. With dropout the rows give x W' + (m / |V|) d(x) V' - d(x) W', as in PEFT.</para>
/// </remarks>
internal sealed class LowRankAdapter : nn.Module
{
    // Most numbers of a weight that are copied at a time to take norms: 16 MB.
    private const long PieceLength = 1 << 22;

    // float32's smallest normal number.
    private const double SmallestNorm = 1.1754943508222875E-38;

    private readonly Settings _settings;
    private readonly Parameter lora_A, lora_B;
    private readonly Parameter? lora_magnitude_vector;
    private readonly Tensor? initial_A, initial_B;    // buffers
    private readonly SeededDropout dropout;
    private Tensor? _fixedNorms;    // no buffer: computed, not stored

    /// <summary>Creates an adapter of zeros on the CPU.</summary>
    /// <param name="settings">Its sizes and options.</param>
    public LowRankAdapter(Settings settings)
        : base(nameof(LowRankAdapter))
    {
        _settings = settings;
        using var scope = NewDisposeScope();
        lora_A = new Parameter(Zeros(settings.Rank, settings.Inputs));
        lora_B = new Parameter(Zeros(settings.Rows, settings.Rank));
        if (settings.HasMagnitude)
            lora_magnitude_vector = new Parameter(Zeros(settings.Rows));
        if (settings.HasInitialProduct)
            (initial_A, initial_B) = (Zeros(settings.Rank, settings.Inputs), Zeros(settings.Rows, settings.Rank));
        dropout = new SeededDropout(settings.Dropout);
        RegisterComponents();
        // It belongs to a layer, not to the scope it is created in.
        foreach (Tensor tensor in parameters().Concat(buffers()))
            tensor.DetachFromDisposeScope();

        Tensor Zeros(params long[] shape) => zeros(shape, dtype: settings.Dtype);
    }

    /// <summary>The first row of the layer's weight that it acts on.</summary>
    public long FirstRow => _settings.FirstRow;

    /// <summary>R, the number of its rows.</summary>
    public long Rows => _settings.Rows;

    /// <summary>A, [r,C].</summary>
    public Parameter A => lora_A;

    /// <summary>B, [R,r].</summary>
    public Parameter B => lora_B;

    /// <summary>m, [R]; null where the rows keep the norms of their directions.</summary>
    public Parameter? Magnitude => lora_magnitude_vector;

    /// <summary>A0, [r,C], and B0, [R,r]; null where the product starts from zero.</summary>
    public (Tensor A, Tensor B)? Initial => initial_A is null ? null : (initial_A, initial_B!);

    /// <summary>Its name in its layer: by the rows, so that a replica's adapter has the same.</summary>
    public string Name => $"adapter_{FirstRow}";

    /// <summary>Whether a tensor of a model is an adapter's, by its name.</summary>
    public static bool Owns(string name) => name[(name.LastIndexOf('.') + 1)..] is nameof(lora_A) or nameof(lora_B) or nameof(lora_magnitude_vector) or nameof(initial_A) or nameof(initial_B);

    /// <summary>Gives the rank that the shape of an adapter's matrix shows, by its name in a model; null for other tensors.</summary>
    public static long? RankOf(string name, long[] shape) => shape.Length != 2 ? null : name[(name.LastIndexOf('.') + 1)..] switch
    {
        nameof(lora_A) or nameof(initial_A) => shape[0],
        nameof(lora_B) or nameof(initial_B) => shape[1],
        _ => null,
    };

    /// <summary>Restarts the random numbers of dropout.</summary>
    /// <param name="seed">The seed.</param>
    public void ReseedDropout(long seed) => dropout.Reseed(seed);

    /// <summary>Creates an adapter of zeros with the same settings, on the CPU.</summary>
    public LowRankAdapter CreateEmpty() => new(_settings with { Dtype = A.dtype });

    /// <summary>Takes what the matrices are now as A0 and B0.</summary>
    public void KeepInitialProduct()
    {
        using var _ = no_grad();
        initial_A!.copy_(A);
        initial_B!.copy_(B);
    }

    /// <summary>Sets the magnitude to the norms of the directions, so that it changes nothing.</summary>
    /// <param name="weight">The layer's weight.</param>
    public void ResetMagnitude(LinearWeight weight)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Magnitude!.copy_(ComputeNorms(weight));
    }

    /// <summary>Computes the norms of the directions once and for all passes, until the model is trained again: for a model that is in use, whose weights stay as they are. Does nothing without a magnitude.</summary>
    /// <param name="weight">The layer's weight.</param>
    public void FixNorms(LinearWeight weight)
    {
        ReleaseNorms();
        if (Magnitude is not null)
            _fixedNorms = ComputeNorms(weight).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public override void train(bool on = true)
    {
        if (on)
            ReleaseNorms();
        base.train(on);
    }

    /// <summary>Sets its rows of a matrix to those that the layer computes with, with the adapter.</summary>
    /// <param name="matrix">All rows, in a floating-point type.</param>
    /// <param name="weight">The layer's weight; may be the same.</param>
    public void MergeInto(Tensor matrix, LinearWeight weight)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor direction = ComputeDirection(weight, 0, Rows);
        if (Magnitude is not null)
            direction.mul_((Magnitude / ComputeNorms(weight)).unsqueeze(1));
        matrix.narrow(0, FirstRow, Rows).copy_(direction);
    }

    /// <summary>Gives the result of the adapter's rows, [...,R], in the type of the layer's. The sum is taken in the wider of the layer's and the adapter's type and rounded once.</summary>
    /// <param name="output">The layer's result in these rows, without the adapter, [...,R].</param>
    /// <param name="input">The layer's input, [...,C].</param>
    /// <param name="weight">The layer's weight, all rows.</param>
    /// <param name="bias">The layer's bias, all rows; null for none.</param>
    public Tensor Apply(Tensor output, Tensor input, LinearWeight weight, Tensor? bias)
    {
        Tensor dropped = dropout.call(input.to(A.dtype));
        Tensor product = nn.functional.linear(nn.functional.linear(dropped, A) * Scalars.Of(_settings.Scale), B);          // [...,R]
        if (Initial is { } initial)
            product = product - nn.functional.linear(nn.functional.linear(dropped, initial.A) * Scalars.Of(_settings.Scale), initial.B);
        if (Magnitude is null)
            return output.Plus(product).to(output.dtype);
        Tensor plain = dropout.IsActive ? weight.Apply(dropped.to(output.dtype), FirstRow, Rows) : bias is null ? output : output - RowsOf(bias);
        return output.Plus(plain.Plus(product) * (Magnitude / ComputeNorms(weight)) - plain).to(output.dtype);
    }

    /// <summary>Changes the layer's result in the adapter's rows, as <see cref="Apply"/> does.</summary>
    /// <param name="output">The layer's result, [P,all rows].</param>
    /// <param name="input">The layer's input, [P,C].</param>
    /// <param name="weight">The layer's weight, all rows.</param>
    /// <param name="bias">The layer's bias, all rows; null for none.</param>
    /// <param name="tape">Keeps what the backward pass needs.</param>
    public void AddTo(Tensor output, Tensor input, LinearWeight weight, Tensor? bias, Tape tape)
    {
        using var scope = NewDisposeScope();
        Tensor wide = input.to(A.dtype), dropped = dropout.IsActive ? dropout.Forward(wide, tape) : wide;
        Tensor rows = output.narrow(1, FirstRow, Rows);                                                        // [P,R]
        if (Magnitude is null)
        {
            AddProduct(rows, dropped);
            return;
        }
        Tensor plain = dropout.IsActive ? weight.Apply(dropped.to(output.dtype), FirstRow, Rows) : bias is null ? rows : rows - RowsOf(bias);
        Tensor directed = tape.Allocate(wide, rows.shape[0], Rows).copy_(plain), norms = ComputeNorms(weight);
        AddProduct(directed, dropped);                                                                         // d(x) V', [P,R]
        rows.copy_(rows.Plus((directed * (Magnitude.detach() / norms)).sub_(plain)));
        tape.Keep(norms);
        tape.Keep(directed);
    }

    /// <summary>Adds the gradients of the adapter's weights.</summary>
    /// <param name="gradient">Of the layer's result, [P,all rows].</param>
    /// <param name="throughWeight">What of it goes on through the layer's own weight, [P,all rows]; the adapter scales its rows, where <see cref="Magnitude"/> does and there is no dropout.</param>
    /// <param name="input">The layer's input, [P,C].</param>
    /// <param name="weight">The layer's weight, all rows.</param>
    /// <param name="tape">What the forward pass kept.</param>
    /// <returns>What of the gradient goes back through the adapter; in the caller's dispose scope.</returns>
    public AdapterGradient Backward(Tensor gradient, Tensor throughWeight, Tensor input, LinearWeight weight, Tape tape)
    {
        using var scope = NewDisposeScope();
        Tensor rows = gradient.narrow(1, FirstRow, Rows).to(A.dtype);                                          // [P,R]
        Tensor? factors = Magnitude is null ? null : BackwardOfMagnitude(rows, tape);                          // [R]
        Tensor? kept = dropout.IsActive ? tape.Take().MoveToOuterDisposeScope() : null;
        Tensor dropped = kept is null ? input.to(A.dtype) : dropout.Apply(input.to(A.dtype), kept);
        Tensor? extra = null;
        if (factors is not null)
        {
            Tensor scaled = (rows * factors).to(A.dtype);
            if (kept is null)
                throughWeight.narrow(1, FirstRow, Rows).copy_(scaled);
            else
                extra = weight.MultiplyBack((scaled - rows).to(gradient.dtype), FirstRow).MoveToOuterDisposeScope();         // [P,C]
            rows = scaled;
        }
        tape.AddProduct(B, rows, dropped.mm(A.t()).mul_(Scalars.Of(_settings.Scale)));
        Tensor narrow = rows.mm(B).mul_(Scalars.Of(_settings.Scale));                                                      // [P,r]
        tape.AddProduct(A, narrow, dropped);
        Tensor? initialNarrow = Initial is { } initial ? rows.mm(initial.B).mul_(Scalars.Of(_settings.Scale)).MoveToOuterDisposeScope() : null;
        return new AdapterGradient(this, narrow.MoveToOuterDisposeScope(), initialNarrow, kept, extra);
    }

    /// <summary>Applies to a gradient what dropout applied to the input.</summary>
    /// <param name="gradient">[P,C].</param>
    /// <param name="kept">What the forward pass kept.</param>
    internal Tensor ApplyDropout(Tensor gradient, Tensor kept) => dropout.Apply(gradient, kept);

    // Adds s x (A' B' - A0' B0') to rows, [P,R].
    private void AddProduct(Tensor rows, Tensor input)
    {
        Tensor narrow = input.mm(A.t()).mul_(Scalars.Of(_settings.Scale));                                                 // [P,r]
        if (Initial is { } initial)
            rows.copy_(rows.Plus(narrow.mm(B.t()).sub_(input.mm(initial.A.t()).mul_(Scalars.Of(_settings.Scale)).mm(initial.B.t()))));
        else if (rows.dtype == A.dtype)
            rows.addmm_(narrow, B.t());
        else
            rows.copy_(rows.Plus(narrow.mm(B.t())));
    }

    // Adds the magnitude's gradient, and gives what it scales the rows by, [R].
    private Tensor BackwardOfMagnitude(Tensor rows, Tape tape)
    {
        using Tensor directed = tape.Take(), norms = tape.Take();
        if (tape.GradientOf(Magnitude) is { } sum)
            sum.add_((rows * directed).sum(0, type: norms.dtype).div_(norms), Scalars.One);
        return Magnitude!.detach() / norms;
    }

    // V of some of the adapter's rows, [count,C], in full precision.
    private Tensor ComputeDirection(LinearWeight weight, long first, long count)
    {
        ScalarType full = A.dtype.Widen();
        Tensor direction = Multiply(A, B).add_(weight.Rows(FirstRow + first, count), Scalars.One);    // in the memory of the product: a model is saved in little more than it takes
        return Initial is { } initial ? direction.sub_(Multiply(initial.A, initial.B)) : direction;

        Tensor Multiply(Tensor a, Tensor b) => b.detach().narrow(0, first, count).to(full).matmul(a.detach().to(full)).mul_(Scalars.Of(_settings.Scale));
    }

    // |V| of every row, [R], in full precision; a constant for automatic differentiation. A row of zeros has the smallest one, so that nothing is divided by zero.
    private Tensor ComputeNorms(LinearWeight weight)
    {
        if (_fixedNorms is not null)
            return _fixedNorms;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor norms = empty(Rows, dtype: A.dtype.Widen(), device: A.device);
        long most = Math.Max(1, PieceLength / _settings.Inputs);
        for (long first = 0; first < Rows; first += most)
        {
            using var piece = NewDisposeScope();
            long count = Math.Min(most, Rows - first);
            norms.narrow(0, first, count).copy_(linalg.vector_norm(ComputeDirection(weight, first, count), ord: 2, dims: [1]));
        }
        return norms.clamp_min_(Scalars.Of(SmallestNorm)).MoveToOuterDisposeScope();
    }

    private void ReleaseNorms()
    {
        _fixedNorms?.Dispose();
        _fixedNorms = null;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            ReleaseNorms();
        base.Dispose(disposing);
    }

    private Tensor RowsOf(Tensor whole) => whole.narrow(0, FirstRow, Rows);

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

        /// <summary>Whether it has a magnitude.</summary>
        public required bool HasMagnitude { get; init; }

        /// <summary>Whether the product that it starts from is taken off.</summary>
        public required bool HasInitialProduct { get; init; }

        /// <summary>Type of its weights, in which it computes.</summary>
        public required ScalarType Dtype { get; init; }
    }
}
