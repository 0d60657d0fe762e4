using MLNetExtension.Generation;

namespace MLNetExtension;

/// <summary>The columns that a trained model adds, by their names, which must differ; and how it generates text.</summary>
public sealed record OutputOptions
{
    internal const string DefaultLossSum = "LossSum";
    internal const string DefaultTokenCount = "TokenCount";
    internal const string DefaultByteCount = "ByteCount";
    internal const string DefaultCorrectCount = "CorrectCount";

    /// <summary>The column with a row's summed loss in nats (Single). Default: <c>LossSum</c>.</summary>
    public string LossSum { get; init; } = DefaultLossSum;

    /// <summary>The column with a row's number of target tokens (Int32). Default: <c>TokenCount</c>.</summary>
    public string TokenCount { get; init; } = DefaultTokenCount;

    /// <summary>The column with the number of UTF-8 bytes that a row's target tokens spell (Int32). Default: <c>ByteCount</c>.</summary>
    public string ByteCount { get; init; } = DefaultByteCount;

    /// <summary>The column with the number of a row's target tokens that the model predicts as most probable (Int32). Default: <c>CorrectCount</c>.</summary>
    public string CorrectCount { get; init; } = DefaultCorrectCount;

    /// <summary>The column with the exponential of a row's mean loss (Single; NaN where it has no target token). Default: <c>Perplexity</c>.</summary>
    public string Perplexity { get; init; } = "Perplexity";

    /// <summary>The column with the natural logarithm of each target token's probability (vector of Single). Default: <c>TokenLogProbabilities</c>.</summary>
    public string TokenLogProbabilities { get; init; } = "TokenLogProbabilities";

    /// <summary>The column with the text that the model generates after a row's prompt, text or token ids (text). Default: <c>GeneratedText</c>.</summary>
    public string GeneratedText { get; init; } = "GeneratedText";

    /// <summary>How that text is generated. Default: greedily, at most 100 tokens. A temperature above 0 needs a seed, so that a row reads the same each time.</summary>
    public GenerationOptions Generation { get; init; } = new() { Temperature = 0 };

    internal void Validate(string group)
    {
        Require.Name(LossSum, group);
        Require.Name(TokenCount, group);
        Require.Name(ByteCount, group);
        Require.Name(CorrectCount, group);
        Require.Name(Perplexity, group);
        Require.Name(TokenLogProbabilities, group);
        Require.Name(GeneratedText, group);
        string[] names = [LossSum, TokenCount, ByteCount, CorrectCount, Perplexity, TokenLogProbabilities, GeneratedText];
        if (names.Distinct().Count() != names.Length)
            throw new ArgumentOutOfRangeException(group, $"The output columns need different names, but are called {string.Join(", ", names)}.");
        if (Generation is null)
            throw new ArgumentNullException($"{group}.{nameof(Generation)}", $"{group}.{nameof(Generation)} is null; it says how the column '{GeneratedText}' is generated.");
        Generation.Validate($"{group}.{nameof(Generation)}");
        if (Generation is { Temperature: > 0, Seed: null })
            throw new ArgumentOutOfRangeException($"{group}.{nameof(Generation)}", Generation.Temperature,
                $"{group}.{nameof(Generation)} has a temperature above 0 and no seed; allowed is a temperature of 0, or a seed beside it, so that a row reads the same each time.");
    }
}
