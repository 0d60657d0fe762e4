using MLNetExtension.Training.Averaging;

namespace MLNetExtension.Training;

/// <summary>What keeps a model from learning its rows by heart, beside weight decay and dropout: noise in training, and averages of the weights.</summary>
/// <remarks>Weight decay belongs to the optimizer, dropout to the model: <see cref="LanguageModel.Gpt2"/>, <see cref="LanguageModel.Pretrained"/>, and to adapters.</remarks>
public sealed record RegularizationOptions
{
    /// <summary>
    /// alpha, where training adds uniform noise between -1 and 1 times alpha / sqrt(L C) to the embedded tokens of a row: L tokens, of width C. Default 0, none; from 0 to 1e30, and 5 is usual for instructions.
    /// The noise of a row does not depend on how its batch is split. Not for a module from ids to logits, which embeds its tokens itself.
    /// </summary>
    /// <remarks>Source: N. Jain et al., "NEFTune: noisy embeddings improve instruction finetuning", 2023, arXiv 2310.05914.</remarks>
    public double EmbeddingNoise { get; init; }

    /// <summary>An average of the weights of many steps, kept beside them. Default: null, none.</summary>
    public WeightAveraging? Averaging { get; init; }

    /// <summary>Describes what is set, for lines of the log.</summary>
    internal IEnumerable<string> Describe()
    {
        if (EmbeddingNoise > 0)
            yield return FormattableString.Invariant($"Embedded tokens get noise of at most {EmbeddingNoise:G4} / sqrt(tokens of the row x width) in training (NEFTune).");
        if (Averaging is not null)
            yield return $"{Averaging.Describe()}; {(Averaging.UseInModel ? "validation measures the average, and the trained model has it" : "validation and the trained model have the weights themselves")}.";
    }

    internal void Validate(string group)
    {
        Require.NotNegative(EmbeddingNoise, group);
        Averaging?.Validate($"{group}.{nameof(Averaging)}");
    }
}
