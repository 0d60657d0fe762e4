using MLNetExtension.Models.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Gpt2;

/// <summary>
/// GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks, GELU, a head that is the token embedding itself unless untied.
/// B rows, T positions, C width, V vocabulary.
/// </summary>
internal sealed class Gpt2Model : CausalLanguageModel, IBackwardEnds
{
    private readonly Parameter wte, wpe;
    private readonly Parameter? lm_head;
    private readonly ModuleList<Gpt2Block> h;
    private readonly LayerNorm ln_f;
    private readonly SeededDropout dropout;

    /// <summary>Creates a model with random weights, on the CPU, float32, without using the global random number generator.</summary>
    /// <param name="configuration">Its sizes.</param>
    /// <param name="seed">The same seed gives the same weights.</param>
    public Gpt2Model(Gpt2Configuration configuration, long seed)
        : this(configuration, new Generator((ulong)seed))
    {
    }

    private Gpt2Model(Gpt2Configuration configuration, Generator? generator)
        : base(nameof(Gpt2Model))
    {
        using (generator)
        {
            WeightInitializer initializer = new(Gpt2Configuration.InitialStandardDeviation, generator, ScalarType.Float32);
            Configuration = configuration;
            wte = initializer.CreateMatrix(configuration.VocabularySize, configuration.Width);
            wpe = initializer.CreateMatrix(configuration.ContextLength, configuration.Width);
            h = nn.ModuleList([.. Enumerable.Range(0, configuration.Layers).Select(_ => new Gpt2Block(configuration, initializer))]);
            Blocks = [.. h];
            ln_f = nn.LayerNorm(configuration.Width, configuration.NormEpsilon);
            if (!configuration.TiedHead)
                lm_head = initializer.CreateMatrix(configuration.VocabularySize, configuration.Width);
            dropout = new SeededDropout(configuration.Dropout);
        }
        RegisterComponents();
    }

    /// <summary>Sizes and options of this model.</summary>
    public Gpt2Configuration Configuration { get; }

    /// <inheritdoc/>
    public override int VocabularySize => Configuration.VocabularySize;

    /// <inheritdoc/>
    public override int ContextLength => Configuration.ContextLength;

    /// <inheritdoc/>
    public override Tensor HeadWeight => lm_head ?? wte;

    /// <inheritdoc/>
    public override IReadOnlyList<TransformerBlock> Blocks { get; }

    /// <summary>Creates a model with uninitialized weights, for a loader that sets every one of them.</summary>
    /// <param name="configuration">Its sizes.</param>
    /// <param name="dtype">Type of its weights.</param>
    public static Gpt2Model CreateUninitialized(Gpt2Configuration configuration, ScalarType dtype = ScalarType.Float32)
    {
        Gpt2Model model = new(configuration, generator: null);
        return dtype == ScalarType.Float32 ? model : model.to(dtype);
    }

    /// <inheritdoc/>
    public override bool CanCache => true;

    /// <inheritdoc/>
    internal override bool CanReplicate => true;

    /// <inheritdoc/>
    private protected override CausalLanguageModel CreateUninitialized() => CreateUninitialized(Configuration);

    /// <inheritdoc/>
    public override Tensor TokenEmbedding => wte;

    /// <inheritdoc/>
    internal override IEnumerable<Tensor> EmbeddingTables => [wte, wpe];

    /// <inheritdoc/>
    public override Tensor AddPositions(Tensor tokens, SequenceLayout layout)
    {
        // Widened first, so that the gradients of a position in several rows are added in float32.
        Tensor positions = layout.SelectPositions(wpe.Widen(), tokens.shape[1]).to(tokens.dtype);     // [T,C] or [B,T,C]
        return dropout.call(tokens.Plus(positions));
    }

    INorm IBackwardEnds.FinalNorm => ln_f.ToNorm(Configuration.NormEpsilon);

    void IBackwardEnds.AddPositions(Tensor tokens, Tape tape)
    {
        foreach ((Tensor row, Tensor positions) in Rows(tokens, wpe.detach(), tape.Layout))
            row.add_(positions, Scalars.One);
        if (dropout.IsActive)
            tokens.copy_(dropout.Forward(tokens, tape));
    }

    void IBackwardEnds.AddPositionsBack(Tensor gradient, Tape tape)
    {
        if (dropout.IsActive)
            gradient.copy_(dropout.Backward(gradient, tape));
        if (tape.GradientOf(wpe) is not { } sum)
            return;
        foreach ((Tensor row, Tensor positions) in Rows(gradient, sum, tape.Layout))
            positions.add_(row, Scalars.One);
    }

    // Each row of [P,C], beside its positions of a table.
    private static IEnumerable<(Tensor Row, Tensor Positions)> Rows(Tensor all, Tensor table, SequenceLayout layout)
    {
        long start = 0;
        foreach (long length in layout.RowLengths(all.shape[0]))
        {
            yield return (all.narrow(0, start, length), table.narrow(0, 0, length));
            start += length;
        }
    }

    /// <inheritdoc/>
    public override Tensor Normalize(Tensor hidden) => ln_f.Apply(hidden, Configuration.NormEpsilon);

    /// <inheritdoc/>
    public override void ReseedDropout(long seed) => dropout.Reseed(seed);
}
