using System.Globalization;
using MLNetExtension.Data;

namespace MLNetExtension.Generation;

/// <summary>Chooses tokens from logits, as <see cref="GenerationOptions"/> say. It has its own random numbers; use one sampler for one text.</summary>
/// <param name="options">The options, validated.</param>
internal sealed class TokenSampler(GenerationOptions options)
{
    private SplitMix64 _random = new(options.Seed is { } seed ? (ulong)seed : (ulong)Random.Shared.NextInt64());
    private Candidate[] _candidates = [];
    private double[] _weights = [];

    /// <summary>Chooses the next token.</summary>
    /// <param name="logits">Unnormalised log-probabilities, one a token id; negative infinity rules a token out.</param>
    /// <returns>The chosen token's id.</returns>
    /// <exception cref="InvalidOperationException">A logit is not a number or positive infinity, or all tokens are ruled out.</exception>
    public int Sample(ReadOnlySpan<double> logits)
    {
        int best = FindMostProbable(logits);
        return options.Temperature == 0 ? best : Draw(logits, logits[best]);
    }

    private static int FindMostProbable(ReadOnlySpan<double> logits)
    {
        int best = -1;
        for (int id = 0; id < logits.Length; id++)
        {
            if (double.IsNaN(logits[id]) || double.IsPositiveInfinity(logits[id]))
            {
                throw new InvalidOperationException(string.Create(
                    CultureInfo.InvariantCulture, $"The model gives token {id} the logit {logits[id]}, where a finite number is expected: its weights may have diverged."));
            }

            if (!double.IsNegativeInfinity(logits[id]) && (best < 0 || logits[id] > logits[best]))
                best = id;
        }

        return best >= 0 ? best : throw new InvalidOperationException("The model rules every token out: all logits are negative infinity.");
    }

    private int Draw(ReadOnlySpan<double> logits, double highest)
    {
        Rank(logits);
        int kept = Math.Min(options.TopK ?? logits.Length, logits.Length);
        double mass = 0;
        for (int i = 0; i < kept; i++)
        {
            // Relative to the highest logit, so that the largest weight is 1 and none overflows.
            _weights[i] = Math.Exp((_candidates[i].Logit - highest) / options.Temperature);
            mass += _weights[i];
        }

        if (options.TopP < 1)
            (kept, mass) = KeepHead(kept, options.TopP * mass);
        if (options.MinP > 0)
            mass = DropImprobable(kept);

        double point = _random.NextDouble() * mass;
        double reached = 0;
        int last = 0;
        for (int i = 0; i < kept; i++)
        {
            if (_weights[i] > 0)
                last = i;

            reached += _weights[i];
            if (point < reached)
                break;
        }

        return _candidates[last].Id; // also where rounding made point equal to the mass
    }

    /// <summary>Lists the tokens: most probable first where an option needs that order, otherwise by id, without sorting.</summary>
    private void Rank(ReadOnlySpan<double> logits)
    {
        if (_candidates.Length != logits.Length)
        {
            _candidates = new Candidate[logits.Length];
            _weights = new double[logits.Length];
        }

        for (int id = 0; id < logits.Length; id++)
            _candidates[id] = new Candidate(logits[id], id);

        if (options.TopK is not null || options.TopP < 1)
            _candidates.AsSpan().Sort();
    }

    /// <summary>The smallest number of leading tokens, of <paramref name="kept"/>, whose mass reaches <paramref name="needed"/>; at least one.</summary>
    private (int Count, double Mass) KeepHead(int kept, double needed)
    {
        int count = 1;
        double mass = _weights[0];
        while (mass < needed && count < kept)
            mass += _weights[count++];

        return (count, mass);
    }

    /// <summary>Sets the weights of improbable candidates to 0; the largest weight is 1. Returns the mass that is left.</summary>
    private double DropImprobable(int kept)
    {
        double mass = 0;
        foreach (ref double weight in _weights.AsSpan(0, kept))
        {
            if (weight < options.MinP)
                weight = 0;
            mass += weight;
        }

        return mass;
    }

    private readonly record struct Candidate(double Logit, int Id) : IComparable<Candidate>
    {
        public int CompareTo(Candidate other) => Logit != other.Logit ? other.Logit.CompareTo(Logit) : Id.CompareTo(other.Id);
    }
}
