using System.Globalization;

namespace MLNetExtension.Evaluation;

/// <summary>How well a causal language model predicts a set of texts.</summary>
/// <remarks>
/// <para>With L the sum of the negative log-likelihoods of all target tokens in nats, m the number of target tokens, c the number of those to which the model
/// gives the highest probability of all tokens, and b the number of UTF-8 bytes that they spell, over all rows, each row multiplied by its weight where rows are weighted:</para>
/// <para>
/// <c>Loss = L / m</c>, <c>Perplexity = exp(L / m)</c>, <c>BitsPerToken = L / (m ln 2)</c>, <c>BitsPerByte = L / (b ln 2)</c>, <c>Accuracy = c / m</c>.
/// </para>
/// <para>Every token weighs the same, whatever row or batch it is in, but for the weight of its row; the metrics of two sets together are not the mean of their
/// metrics. Bits per byte can be compared between models with different tokens, the others cannot. A loss that is not finite stays so here.</para>
/// </remarks>
public sealed class CausalLanguageModelMetrics
{
    private static readonly double Ln2 = Math.Log(2);

    internal CausalLanguageModelMetrics(MetricsSums sums)
    {
        Loss = sums.Loss / sums.TokenWeight;
        Perplexity = Math.Exp(Loss);
        BitsPerToken = Loss / Ln2;
        BitsPerByte = sums.ByteWeight > 0 ? sums.Loss / (sums.ByteWeight * Ln2) : double.NaN;
        Accuracy = sums.Correct / sums.TokenWeight;
        TokenWeight = sums.TokenWeight;
        Tokens = sums.Tokens;
        Bytes = sums.Bytes;
        Rows = sums.Rows;
    }

    /// <summary>The mean negative log-likelihood of a target token, in nats; 0 is best.</summary>
    public double Loss { get; }

    /// <summary>The exponential of <see cref="Loss"/>: the number of equally probable tokens that would give the same loss; 1 is best.</summary>
    public double Perplexity { get; }

    /// <summary><see cref="Loss"/> in bits.</summary>
    public double BitsPerToken { get; }

    /// <summary>The bits that the model spends on a byte of the text; not a number where the target tokens spell no bytes (end-of-text alone).</summary>
    public double BitsPerByte { get; }

    /// <summary>The share of target tokens to which the model gives the highest probability of all tokens, 0 to 1; 1 is best.</summary>
    public double Accuracy { get; }

    /// <summary>The summed weights of the target tokens: <see cref="Tokens"/> where rows are not weighted.</summary>
    public double TokenWeight { get; }

    /// <summary>The number of target tokens, those of rows of weight 0 left out.</summary>
    public long Tokens { get; }

    /// <summary>The number of UTF-8 bytes that the target tokens spell.</summary>
    public long Bytes { get; }

    /// <summary>The number of rows, those without a target token or a weight included.</summary>
    public long Rows { get; }

    /// <summary>Formats the metrics in one line, for people to read.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"loss {Loss:F4} nats/token, perplexity {Perplexity:G5}, {BitsPerToken:F4} bits/token, {BitsPerByte:F4} bits/byte, accuracy {100 * Accuracy:F1} %, {Tokens:N0} tokens, {Rows:N0} rows");
}
