namespace MLNetExtension.Generation;

/// <summary>How a text is generated: how long it may get, and how each token is chosen from the model's probabilities.</summary>
/// <remarks>
/// The options apply in this order: <see cref="RepetitionPenalty"/> changes the logits, which are then divided by <see cref="Temperature"/>; the <see cref="TopK"/> most probable tokens stay; of
/// these, with their probabilities renormalised, <see cref="TopP"/> keeps the head, and of that <see cref="MinP"/> the probable ones. Of equally probable tokens the one with the lowest id comes first.
/// </remarks>
public sealed record GenerationOptions
{
    /// <summary>The most tokens to generate; fewer come where the model ends the text. Default 100; 1 or more.</summary>
    public int MaximumNewTokens { get; init; } = 100;

    /// <summary>
    /// What logits are divided by: below 1 probable tokens become more probable, above 1 less. 0 always takes the most probable token (greedy). Default 1; from 0 to 1e30.
    /// </summary>
    public double Temperature { get; init; } = 1;

    /// <summary>The number of most probable tokens to choose from; null for all. Default null; 1 or more.</summary>
    public int? TopK { get; init; }

    /// <summary>
    /// The probability that the tokens to choose from must reach: the smallest set of most probable tokens that does so is kept. Default 1 (all); above 0, at most 1.
    /// </summary>
    /// <remarks>Source: A. Holtzman et al., "The curious case of neural text degeneration", 2020 (nucleus sampling).</remarks>
    public double TopP { get; init; } = 1;

    /// <summary>How probable a token must be beside the most probable one: those that reach less than this share of its probability are left out. Default 0 (none); from 0 to 1.</summary>
    /// <remarks>Source: M. Nguyen et al., "Turning up the heat: min-p sampling for creative and coherent LLM outputs", 2024.</remarks>
    public double MinP { get; init; }

    /// <summary>
    /// The penalty on tokens that are in the prompt or the continuation already: their logits are divided by this where positive and multiplied by it where negative.
    /// End-of-text is exempt. Default 1 (no penalty); from 1.18e-38 to 1e30.
    /// </summary>
    /// <remarks>Source: N. Keskar et al., "CTRL: a conditional transformer language model for controllable generation", 2019, section 4.1.</remarks>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Strings that end the text as soon as it holds one of them, which is not part of it. Default none; none is empty.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>
    /// The seed of the choices: the same seed, model, prompt and options give the same text. Of several prompts each has a seed of its own, this one and those that follow it. Default null: another text each time.
    /// </summary>
    public int? Seed { get; init; }

    internal void Validate(string? group = null)
    {
        Require.That(MaximumNewTokens >= 1, MaximumNewTokens, "at least 1", group);
        Require.NotNegative(Temperature, group);
        Require.That(TopK is null or >= 1, TopK, "null, or at least 1", group);
        Require.That(TopP is > 0 and <= 1, TopP, "above 0 and at most 1", group);
        Require.That(MinP is >= 0 and <= 1, MinP, "from 0 to 1", group);
        Require.Positive(RepetitionPenalty, group);
        Require.That(StopStrings is not null, StopStrings, "a list of strings", group);
        for (int i = 0; i < StopStrings!.Count; i++)
            Require.That(!string.IsNullOrEmpty(StopStrings[i]), StopStrings[i], "a string that is not empty", group, $"{nameof(StopStrings)}[{i}]");
    }
}
