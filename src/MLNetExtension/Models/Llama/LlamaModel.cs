using MLNetExtension.Models.Layers;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Llama;

/// <summary>
/// Llama (Touvron et al. 2023) and its relatives Mistral, Mixtral, Qwen 2 and 3, SmolLM 3, OLMo 2, Phi 3, Gemma 2 and 3, which differ in options: rotary positions, RMS norms, gated feed-forward
/// networks, grouped-query attention. B rows, T positions, C width, V vocabulary.
/// </summary>
internal sealed class LlamaModel : CausalLanguageModel, IBackwardEnds
{
    private readonly Parameter embed_tokens;
    private readonly Parameter? lm_head;
    private readonly ModuleList<LlamaBlock> layers;
    private readonly RmsNorm norm;
    private readonly RotaryEmbedding _rotary, _localRotary;    // the same where sliding blocks have no base of their own

    /// <summary>Creates a model with random weights, on the CPU, float32, without using the global random number generator.</summary>
    /// <param name="configuration">Its sizes and options.</param>
    /// <param name="seed">The same seed gives the same weights.</param>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    public LlamaModel(LlamaConfiguration configuration, long seed)
        : this(configuration, new Generator((ulong)seed), ScalarType.Float32)
    {
    }

    private LlamaModel(LlamaConfiguration configuration, Generator? generator, ScalarType dtype)
        : base(nameof(LlamaModel))
    {
        using (generator)
        {
            configuration.Validate();
            Configuration = configuration;
            WeightInitializer initializer = new(configuration.InitialStandardDeviation, generator, dtype);
            _rotary = new RotaryEmbedding(configuration.RotaryWidth, configuration.RotaryBase, configuration.RotaryScaling);
            _localRotary = configuration.LocalRotaryBase is { } theta ? new RotaryEmbedding(configuration.RotaryWidth, theta, scaling: null) : _rotary;
            embed_tokens = initializer.CreateMatrix(configuration.VocabularySize, configuration.Width);
            layers = nn.ModuleList([.. Enumerable.Range(0, configuration.Layers).Select(layer => new LlamaBlock(configuration, layer, RotaryOf(layer), initializer))]);
            Blocks = [.. layers];
            norm = initializer.CreateRmsNorm(configuration.Width, configuration.NormEpsilon, configuration.NormsAddOne);
            if (!configuration.TiedHead)
                lm_head = initializer.CreateMatrix(configuration.VocabularySize, configuration.Width);
        }
        RegisterComponents();

        RotaryEmbedding RotaryOf(int layer) => configuration.WindowOf(layer) is null ? _rotary : _localRotary;
    }

    /// <summary>Sizes and options of this model.</summary>
    public LlamaConfiguration Configuration { get; }

    /// <inheritdoc/>
    public override int VocabularySize => Configuration.VocabularySize;

    /// <inheritdoc/>
    public override int ContextLength => Configuration.ContextLength;

    /// <inheritdoc/>
    public override Tensor HeadWeight => lm_head ?? embed_tokens;

    /// <inheritdoc/>
    public override IReadOnlyList<TransformerBlock> Blocks { get; }

    /// <summary>Creates a model with uninitialized weights, for a loader that sets every one of them.</summary>
    /// <param name="configuration">Its sizes and options.</param>
    /// <param name="dtype">Type of its weights.</param>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    public static LlamaModel CreateUninitialized(LlamaConfiguration configuration, ScalarType dtype = ScalarType.Float32) => new(configuration, generator: null, dtype);

    /// <inheritdoc/>
    internal override double RouterBalanceCoefficient => Configuration.RouterBalanceCoefficient;

    /// <inheritdoc/>
    internal override bool BalancesBlocksTogether => true;

    /// <inheritdoc/>
    internal override double? LogitCap => Configuration.LogitCap;

    /// <inheritdoc/>
    internal override int? ShortRowLimit => Configuration.RotaryScaling?.ShortRowLimit;

    /// <inheritdoc/>
    public override bool CanCache => true;

    /// <inheritdoc/>
    internal override bool CanReplicate => true;

    /// <inheritdoc/>
    private protected override CausalLanguageModel CreateUninitialized() => CreateUninitialized(Configuration);

    /// <inheritdoc/>
    public override Tensor TokenEmbedding => embed_tokens;

    /// <inheritdoc/>
    public override Tensor AddPositions(Tensor tokens, SequenceLayout layout)
    {
        if (!Configuration.ScalesEmbedding)
            return tokens;
        using Tensor scale = EmbeddingScale(tokens);
        return tokens * scale;
    }

    INorm IBackwardEnds.FinalNorm => norm;

    void IBackwardEnds.AddPositions(Tensor tokens, Tape tape)
    {
        if (!Configuration.ScalesEmbedding)
            return;
        using Tensor scale = EmbeddingScale(tokens);
        tokens.mul_(scale);
    }

    void IBackwardEnds.AddPositionsBack(Tensor gradient, Tape tape) => ((IBackwardEnds)this).AddPositions(gradient, tape);

    // Rounded, as the models were trained.
    private Tensor EmbeddingScale(Tensor tokens) => tensor(Math.Sqrt(Configuration.Width), dtype: tokens.dtype, device: tokens.device);

    /// <inheritdoc/>
    public override Tensor Normalize(Tensor hidden) => norm.call(hidden);

    /// <inheritdoc/>
    public override void ReseedDropout(long seed)
    {
        // The embedding has no dropout.
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _rotary.Dispose();
            _localRotary.Dispose();
        }
        base.Dispose(disposing);
    }
}
