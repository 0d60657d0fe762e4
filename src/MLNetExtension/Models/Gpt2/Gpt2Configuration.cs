using MLNetExtension.Files;
using MLNetExtension.Models.Layers;

namespace MLNetExtension.Models.Gpt2;

/// <summary>Sizes and options of a GPT-2.</summary>
/// <param name="VocabularySize">V, the number of token ids.</param>
/// <param name="ContextLength">Most positions of a row.</param>
/// <param name="Layers">Number of blocks.</param>
/// <param name="Heads">Attention heads of a block; divides <paramref name="Width"/>.</param>
/// <param name="Width">C, the length of a hidden state.</param>
/// <param name="Dropout">Share of the embedding's and each branch's outputs that training zeroes, 0 to below 1.</param>
/// <param name="Experts">Feed-forward networks of a block, of which a router picks some for each token; 0 for a single one without a router.</param>
/// <param name="ExpertsPerToken">How many of them a token passes through, 1 to <paramref name="Experts"/>.</param>
/// <param name="FeedForwardWidth">Inner width of a feed-forward network; 0 for four times <paramref name="Width"/>.</param>
/// <param name="Activation">The feed-forward networks' activation.</param>
/// <param name="NormEpsilon">Added to the variance by layer norms.</param>
/// <param name="AttentionDropout">Share of the attention probabilities that training zeroes, 0 to below 1. Above 0, training forms them, [B,H,T,T], instead of using a fused kernel.</param>
/// <param name="TiedHead">Whether the head is the token embedding itself.</param>
internal sealed record Gpt2Configuration(
    int VocabularySize,
    int ContextLength,
    int Layers,
    int Heads,
    int Width,
    double Dropout = 0,
    int Experts = 0,
    int ExpertsPerToken = 1,
    int FeedForwardWidth = 0,
    Activation Activation = Activation.Gelu,
    double NormEpsilon = 1e-5,
    double AttentionDropout = 0,
    bool TiedHead = true)
{
    /// <summary>The largest width of which four times is a number of inputs still.</summary>
    internal const int MaximumWidth = int.MaxValue / 4;

    /// <summary>Standard deviation of the starting weights (Radford et al. 2018, section 4.1).</summary>
    internal const double InitialStandardDeviation = 0.02;

    /// <summary>What that is divided by where a branch joins the residual stream (Radford et al. 2019, section 2.3).</summary>
    internal double ResidualDivisor => Math.Sqrt(2 * Layers);

    /// <summary>Inner width of a feed-forward network.</summary>
    internal int InnerWidth => FeedForwardWidth == 0 ? 4 * Width : FeedForwardWidth;

    /// <summary>Checks sizes and options that were read from a file.</summary>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="InvalidDataException">One is out of range, or they contradict one another.</exception>
    internal void Check(string name)
    {
        RequireRange(VocabularySize, nameof(VocabularySize), new NumberRange(1, int.MaxValue - 1));
        RequireRange(ContextLength, nameof(ContextLength), new NumberRange(1, int.MaxValue));
        RequireRange(Layers, nameof(Layers), new NumberRange(1, int.MaxValue));
        RequireRange(Heads, nameof(Heads), new NumberRange(1, int.MaxValue));
        RequireRange(Width, nameof(Width), new NumberRange(1, MaximumWidth));
        RequireRange(FeedForwardWidth, nameof(FeedForwardWidth), new NumberRange(0, int.MaxValue));
        RequireRange(Experts, nameof(Experts), new NumberRange(0, int.MaxValue));
        if (Experts > 0)
            RequireRange(ExpertsPerToken, nameof(ExpertsPerToken), new NumberRange(1, Experts));
        RequireRange(Dropout, nameof(Dropout), NumberRange.Share);
        RequireRange(AttentionDropout, nameof(AttentionDropout), NumberRange.Share);
        RequireRange(NormEpsilon, nameof(NormEpsilon), SafeRanges.NormEpsilon);
        if (Width % Heads != 0)
            throw new InvalidDataException($"{name}: {nameof(Heads)} is {Heads}, which does not divide {nameof(Width)}, {Width}.");
        if (!Enum.IsDefined(Activation))
            throw new InvalidDataException($"{name}: {nameof(Activation)} is {Activation}, expected {string.Join(", ", Enum.GetNames<Activation>())}.");

        void RequireRange(double value, string option, NumberRange range)
        {
            if (!range.Contains(value))
                throw new InvalidDataException($"{name}: {option} is {value}, expected {range}.");
        }
    }
}
