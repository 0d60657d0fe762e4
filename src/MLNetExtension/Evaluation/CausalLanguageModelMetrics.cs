using System.Globalization;

namespace MLNetExtension.Evaluation;

/// <summary>How well a causal language model predicts a set of texts.</summary>
/// <remarks>
/// <para>With L the sum of the negative log-likelihoods of all target tokens in nats, m the number of target tokens and b the number of UTF-8 bytes that they
/// spell, over all rows:</para>
/// <para>
/// <c>Loss = L / m</c>, <c>Perplexity = exp(L / m)</c>, <c>BitsPerToken = L / (m ln 2)</c>, <c>BitsPerByte = L / (b ln 2)</c>.
/// </para>
/// <para>Every token weighs the same, whatever row or batch it is in; the metrics of two sets together are not the mean of their metrics.
/// Bits per byte can be compared between models with different tokens, the others cannot. A loss that is not finite stays so here.</para>
/// </remarks>
public sealed class CausalLanguageModelMetrics
{
    private static readonly double Ln2 = Math.Log(2);

    internal CausalLanguageModelMetrics(double lossSum, long tokens, long bytes, long rows)
    {
        Loss = lossSum / tokens;
        Perplexity = Math.Exp(Loss);
        BitsPerToken = Loss / Ln2;
        BitsPerByte = bytes > 0 ? lossSum / (bytes * Ln2) : double.NaN;
        Tokens = tokens;
        Bytes = bytes;
        Rows = rows;
    }

    /// <summary>The mean negative log-likelihood of a target token, in nats; 0 is best.</summary>
    public double Loss { get; }

    /// <summary>The exponential of <see cref="Loss"/>: among how many equally probable tokens the model is as unsure; 1 is best.</summary>
    public double Perplexity { get; }

    /// <summary><see cref="Loss"/> in bits.</summary>
    public double BitsPerToken { get; }

    /// <summary>The bits that the model spends on a byte of the text; not a number where the target tokens spell no bytes (end-of-text alone).</summary>
    public double BitsPerByte { get; }

    /// <summary>The number of target tokens.</summary>
    public long Tokens { get; }

    /// <summary>The number of UTF-8 bytes that the target tokens spell.</summary>
    public long Bytes { get; }

    /// <summary>The number of rows, those without a target token included.</summary>
    public long Rows { get; }

    /// <summary>The metrics in one line, to be read by people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"loss {Loss:F4} nats/token, perplexity {Perplexity:G5}, {BitsPerToken:F4} bits/token, {BitsPerByte:F4} bits/byte, {Tokens:N0} tokens, {Rows:N0} rows");
}
