using MLNetExtension.Models.Layers;

namespace MLNetExtension.Models.Llama;

/// <summary>Where the norms of a block's two parts, attention and feed-forward network, are.</summary>
internal enum NormPlacement
{
    /// <summary>x + part(norm(x)).</summary>
    Before,

    /// <summary>x + norm(part(x)) (OLMo team 2024, "2 OLMo 2 Furious").</summary>
    After,

    /// <summary>x + norm(part(norm(x))) (Gemma team 2024, "Gemma 2").</summary>
    Both,
}

/// <summary>Sizes and options of a Llama or of one of its relatives, which are the same network with different options.</summary>
internal sealed record LlamaConfiguration
{
    /// <summary>V, the number of token ids.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Most positions of a row.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Number of blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>C, the length of a hidden state.</summary>
    public required int Width { get; init; }

    /// <summary>Inner width of a feed-forward network.</summary>
    public required int FeedForwardWidth { get; init; }

    /// <summary>Attention heads of a block.</summary>
    public required int Heads { get; init; }

    /// <summary>Heads of keys and values of a block; divides <see cref="Heads"/>. Default: as many.</summary>
    public int KeyValueHeads
    {
        get => field == 0 ? Heads : field;
        init;
    }

    /// <summary>D, the width of a head; even. Default: <see cref="Width"/> / <see cref="Heads"/>.</summary>
    public int HeadWidth
    {
        get => field == 0 ? Width / Heads : field;
        init;
    }

    /// <summary>Its model type in Hugging Face's files, which decides what its files look like, not what it computes. Default llama.</summary>
    public string ModelType { get; init; } = "llama";

    /// <summary>The feed-forward networks' activation. Default <see cref="Activation.Silu"/>.</summary>
    public Activation Activation { get; init; } = Activation.Silu;

    /// <summary>Where the norms of a block are. Default <see cref="NormPlacement.Before"/>.</summary>
    public NormPlacement Norms { get; init; }

    /// <summary>Whether norms multiply by 1 + weight instead of the weight. Default false.</summary>
    public bool NormsAddOne { get; init; }

    /// <summary>Added to the mean square by norms. Default 1e-6.</summary>
    public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>Whether embedded tokens are multiplied by the square root of <see cref="Width"/>, rounded to the model's type. Default false.</summary>
    public bool ScalesEmbedding { get; init; }

    /// <summary>Whether the head is the token embedding itself. Default false.</summary>
    public bool TiedHead { get; init; }

    /// <summary>c, where a logit z becomes c tanh(z / c); null for none. Default null.</summary>
    public double? LogitCap { get; init; }

    /// <summary>Whether the projections to queries, keys and values have biases. Default false.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Whether the projection that joins the heads has a bias. Default false.</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>Whether the feed-forward networks have biases. Default false.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>Whether the queries and keys of each head are normalized before they are rotated. Default false.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Whether that norm is one of all heads of a position together, instead of one of each head. Default false.</summary>
    public bool QueryKeyNormSpansHeads { get; init; }

    /// <summary>s, where the score of a query and a key is their product divided by the square root of s. Default: <see cref="HeadWidth"/>.</summary>
    public double ScoreScalar
    {
        get => field == 0 ? HeadWidth : field;
        init;
    }

    /// <summary>c, where a score s becomes c tanh(s / c) before the softmax; null for none. Default null.</summary>
    public double? ScoreCap { get; init; }

    /// <summary>Base of the rotary frequencies. Default 10000.</summary>
    public double RotaryBase { get; init; } = 10000;

    /// <summary>How many coordinates of a head are rotated, the first ones; even. Default: <see cref="HeadWidth"/>, all.</summary>
    public int RotaryWidth
    {
        get => field == 0 ? HeadWidth : field;
        init;
    }

    /// <summary>Base of the rotary frequencies in blocks with a <see cref="SlidingWindow"/>, where no scaling acts; null for the same frequencies as elsewhere. Default null.</summary>
    public double? LocalRotaryBase { get; init; }

    /// <summary>How the rotary frequencies are scaled for rows longer than those first trained on; null for no scaling. Default null.</summary>
    public RotaryScaling? RotaryScaling { get; init; }

    /// <summary>Blocks, counted from 0, whose queries and keys are not rotated, so that positions act through the causal mask alone. Default none.</summary>
    public IReadOnlyList<int> UnrotatedLayers { get; init; } = [];

    /// <summary>How many positions one attends to in the blocks of <see cref="SlidingLayers"/>, itself included; null for all. Default null.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>Blocks, counted from 0, that have the <see cref="SlidingWindow"/>; null for all. Default null.</summary>
    public IReadOnlyList<int>? SlidingLayers { get; init; }

    /// <summary>Share of the attention probabilities that training zeroes, 0 to below 1. Above 0, training forms them, [B,H,T,T]. Default 0.</summary>
    public double AttentionDropout { get; init; }

    /// <summary>Feed-forward networks of a block, of which a router picks some for each token; 0 for a single one without a router. Default 0.</summary>
    public int Experts { get; init; }

    /// <summary>How many experts a token passes through. Default 2.</summary>
    public int ExpertsPerToken { get; init; } = 2;

    /// <summary>Inner width of an expert. Default: <see cref="FeedForwardWidth"/>.</summary>
    public int ExpertWidth
    {
        get => field == 0 ? FeedForwardWidth : field;
        init;
    }

    /// <summary>Whether the weights of a token's experts are its router's probabilities among those chosen, instead of among all. Default true.</summary>
    public bool ExpertWeightsSumToOne { get; init; } = true;

    /// <summary>Blocks, counted from 0, with a single feed-forward network instead of experts. Default none.</summary>
    public IReadOnlyList<int> DenseLayers { get; init; } = [];

    /// <summary>Coefficient of the routers' balance loss in training. Default 0, none.</summary>
    public double RouterBalanceCoefficient { get; init; }

    /// <summary>Standard deviation of the starting weights. Default 0.02.</summary>
    public double InitialStandardDeviation { get; init; } = 0.02;

    /// <summary>Whether attention and feed-forward network have a norm of what goes into them.</summary>
    internal bool HasInputNorms => Norms != NormPlacement.After;

    /// <summary>Whether attention and feed-forward network have a norm of what comes out of them.</summary>
    internal bool HasOutputNorms => Norms != NormPlacement.Before;

    /// <summary>Width of the norm of queries.</summary>
    internal long QueryNormWidth => QueryKeyNormSpansHeads ? (long)Heads * HeadWidth : HeadWidth;

    /// <summary>Width of the norm of keys.</summary>
    internal long KeyNormWidth => QueryKeyNormSpansHeads ? (long)KeyValueHeads * HeadWidth : HeadWidth;

    /// <summary>How many experts a block has; 0 for a single feed-forward network.</summary>
    internal int ExpertsOf(int layer) => DenseLayers.Contains(layer) ? 0 : Experts;

    /// <summary>Whether a block rotates queries and keys.</summary>
    internal bool IsRotated(int layer) => !UnrotatedLayers.Contains(layer);

    /// <summary>How many positions one attends to in a block, itself included; null for all.</summary>
    internal int? WindowOf(int layer) => SlidingLayers is null || SlidingLayers.Contains(layer) ? SlidingWindow : null;

    /// <summary>Checks the numbers.</summary>
    /// <exception cref="ArgumentException">One is out of range, or they contradict one another.</exception>
    internal void Validate()
    {
        Require(VocabularySize > 0 && ContextLength > 0 && Layers > 0 && Width > 0 && FeedForwardWidth > 0 && Heads > 0, "sizes must be positive");
        Require(HeadWidth > 0 && HeadWidth % 2 == 0, $"{nameof(HeadWidth)} is {HeadWidth}, expected a positive even number: coordinates are rotated in pairs");
        Require(KeyValueHeads > 0 && Heads % KeyValueHeads == 0, $"{nameof(KeyValueHeads)} is {KeyValueHeads}, which does not divide the {Heads} {nameof(Heads)}");
        Require(SlidingWindow is null or > 0, $"{nameof(SlidingWindow)} is {SlidingWindow}, expected a positive number");
        Require(AttentionDropout is >= 0 and < 1, $"{nameof(AttentionDropout)} is {AttentionDropout}, expected 0 to below 1");
        Require(Experts == 0 || (ExpertsPerToken > 0 && ExpertsPerToken <= Experts), $"{nameof(ExpertsPerToken)} is {ExpertsPerToken}, expected 1 to {Experts}");
        Require(Experts == 0 || !FeedForwardBias, "experts have no biases");
        Require(RotaryWidth > 0 && RotaryWidth <= HeadWidth && RotaryWidth % 2 == 0, $"{nameof(RotaryWidth)} is {RotaryWidth}, expected an even number from 2 to {HeadWidth}");
        Require(LocalRotaryBase is null or > 1, $"{nameof(LocalRotaryBase)} is {LocalRotaryBase}, expected more than 1");
        Require(ScoreScalar > 0 && ScoreCap is null or > 0 && LogitCap is null or > 0, $"{nameof(ScoreScalar)}, {nameof(ScoreCap)} and {nameof(LogitCap)} are {ScoreScalar}, {ScoreCap} and {LogitCap}, expected positive numbers");
        Require(RotaryBase > 1, $"{nameof(RotaryBase)} is {RotaryBase}, expected more than 1");
    }

    private static void Require(bool condition, string what)
    {
        if (!condition)
            throw new ArgumentException($"The configuration of a Llama is not valid: {what}.");
    }
}
