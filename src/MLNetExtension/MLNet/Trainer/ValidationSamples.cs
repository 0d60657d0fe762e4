using MLNetExtension.Generation;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>Generates texts with a model that is being trained, from the prompts of <see cref="ValidationOptions.Prompts"/>. Draws from random numbers of its own, the same for every evaluation.</summary>
/// <param name="model">The model.</param>
/// <param name="options">The trainer's options, with a validation.</param>
internal sealed class ValidationSamples(TrainedLanguageModel model, CausalLanguageModelTrainer.Options options)
{
    private readonly RowScoring _scoring = new(model, options, SingleRank.Instance);
    private readonly GenerationOptions _generation = options.Validation!.Generation with { Seed = options.Validation.Generation.Seed ?? options.Seed };

    /// <summary>Generates a text for each prompt, all of them together.</summary>
    public IReadOnlyList<GeneratedSample> Generate(CancellationToken cancellationToken)
    {
        IReadOnlyList<string> prompts = options.Validation!.Prompts;
        IReadOnlyList<string> texts = _scoring.Generator.Generate([.. prompts.Select(_scoring.EncodePrompt)], _generation, cancellationToken);
        return [.. prompts.Zip(texts, (prompt, text) => new GeneratedSample(prompt, text))];
    }
}
