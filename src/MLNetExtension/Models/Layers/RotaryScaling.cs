namespace MLNetExtension.Models.Layers;

/// <summary>How rotary frequencies are scaled so that a model can read rows longer than those it was first trained on.</summary>
internal abstract record RotaryScaling
{
    private protected RotaryScaling()
    {
    }

    /// <summary>What rotated queries and keys are multiplied by.</summary>
    internal virtual double Amplitude => 1;

    /// <summary>Scales the frequencies, in radians per position, fastest first.</summary>
    /// <param name="frequencies">D/2 of them.</param>
    /// <param name="theta">The base that they come from.</param>
    internal abstract double[] Apply(double[] frequencies, double theta);

    /// <summary>The length past which the positions of a row have the frequencies of <see cref="ApplyToLongRow"/>; null where all rows have the same.</summary>
    internal virtual int? ShortRowLimit => null;

    /// <summary>Scales the frequencies for a row longer than <see cref="ShortRowLimit"/>.</summary>
    internal virtual double[] ApplyToLongRow(double[] frequencies, double theta) => Apply(frequencies, theta);

    /// <summary>Positions are divided by a factor (Chen et al. 2023, "Position interpolation").</summary>
    /// <param name="Factor">The factor.</param>
    public sealed record Linear(double Factor) : RotaryScaling
    {
        internal override double[] Apply(double[] frequencies, double theta) => [.. frequencies.Select(f => f / Factor)];
    }

    /// <summary>A base that grows with a row's length past the model's context. Within the context, and rows here are never longer, it changes nothing.</summary>
    /// <param name="Factor">The factor.</param>
    public sealed record Dynamic(double Factor) : RotaryScaling
    {
        internal override double[] Apply(double[] frequencies, double theta) => frequencies;
    }

    /// <summary>Llama 3.1's: slow frequencies are divided by a factor, fast ones are kept, those between are blended (Llama team 2024, "The Llama 3 herd of models").</summary>
    /// <param name="Factor">The factor.</param>
    /// <param name="LowFrequencyFactor">Fewer turns than this in the original context are slow.</param>
    /// <param name="HighFrequencyFactor">More turns than this in the original context are fast.</param>
    /// <param name="OriginalContextLength">Length of the rows that the model was first trained on.</param>
    public sealed record Llama3(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalContextLength) : RotaryScaling
    {
        internal override double[] Apply(double[] frequencies, double theta) => [.. frequencies.Select(f =>
        {
            double turns = OriginalContextLength * f / (2 * Math.PI);
            double kept = Math.Clamp((turns - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor), 0, 1);
            return kept * f + (1 - kept) * f / Factor;
        })];
    }

    /// <summary>YaRN (Peng et al. 2023): as <see cref="Llama3"/>, but blended by the frequencies' index, with a temperature of the attention.</summary>
    /// <param name="Factor">The factor.</param>
    /// <param name="OriginalContextLength">Length of the rows that the model was first trained on.</param>
    /// <param name="FastTurns">More turns than this in the original context are fast (the paper's beta).</param>
    /// <param name="SlowTurns">Fewer turns than this in the original context are slow (the paper's alpha).</param>
    /// <param name="AttentionFactor">What rotated queries and keys are multiplied by; null for the paper's 0.1 ln(factor) + 1.</param>
    /// <param name="WholeIndices">Whether the ends of the blend are rounded outwards to whole indices.</param>
    public sealed record Yarn(
        double Factor, int OriginalContextLength, double FastTurns = 32, double SlowTurns = 1, double? AttentionFactor = null, bool WholeIndices = true) : RotaryScaling
    {
        internal override double Amplitude => AttentionFactor ?? (Factor <= 1 ? 1 : 0.1 * Math.Log(Factor) + 1);

        internal override double[] Apply(double[] frequencies, double theta)
        {
            int size = 2 * frequencies.Length;
            double low = IndexOf(FastTurns), high = IndexOf(SlowTurns);
            if (WholeIndices)
                (low, high) = (Math.Floor(low), Math.Ceiling(high));
            (low, high) = (Math.Max(low, 0), Math.Min(high, size - 1));
            if (low == high)
                high += 0.001;      // a step, where there is nothing to blend
            return [.. frequencies.Select((f, i) =>
            {
                double slow = Math.Clamp((i - low) / (high - low), 0, 1);
                return slow * f / Factor + (1 - slow) * f;
            })];

            // Where theta^(-2i/D) makes so many turns in the original context.
            double IndexOf(double turns) => size * Math.Log(OriginalContextLength / (2 * Math.PI * turns)) / (2 * Math.Log(theta));
        }
    }

    /// <summary>
    /// LongRoPE (Ding et al. 2024): each frequency is divided by a factor of its own, in rows longer than those that the model was first trained on by another than in shorter ones.
    /// A row's own length decides, as it does in Hugging Face's code where the row is alone; there, the longest of several rows decides for all of them.
    /// </summary>
    /// <param name="ShortFactors">Divisors in rows of at most <paramref name="OriginalContextLength"/>, D/2 of them, fastest frequency first.</param>
    /// <param name="LongFactors">Divisors in longer rows.</param>
    /// <param name="OriginalContextLength">Length of the rows that the model was first trained on.</param>
    /// <param name="Factor">How many times as long the context is now.</param>
    /// <param name="AttentionFactor">What rotated queries and keys are multiplied by; null for the paper's sqrt(1 + ln(factor) / ln(original length)).</param>
    public sealed record LongRope(
        IReadOnlyList<double> ShortFactors, IReadOnlyList<double> LongFactors, int OriginalContextLength, double Factor, double? AttentionFactor = null) : RotaryScaling
    {
        internal override double Amplitude => AttentionFactor ?? (Factor <= 1 ? 1 : Math.Sqrt(1 + Math.Log(Factor) / Math.Log(OriginalContextLength)));

        internal override int? ShortRowLimit => OriginalContextLength;

        internal override double[] Apply(double[] frequencies, double theta) => [.. frequencies.Zip(ShortFactors, (f, factor) => f / factor)];

        internal override double[] ApplyToLongRow(double[] frequencies, double theta) => [.. frequencies.Zip(LongFactors, (f, factor) => f / factor)];

        /// <summary>Whether the numbers are the same.</summary>
        public bool Equals(LongRope? other) => other is not null && OriginalContextLength == other.OriginalContextLength && Factor == other.Factor && AttentionFactor == other.AttentionFactor
            && ShortFactors.SequenceEqual(other.ShortFactors) && LongFactors.SequenceEqual(other.LongFactors);

        /// <inheritdoc/>
        public override int GetHashCode() => HashCode.Combine(OriginalContextLength, Factor, AttentionFactor, ShortFactors.Count);
    }
}
