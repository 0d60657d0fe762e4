using Microsoft.ML;

namespace MLNetExtension.MLNet.Transformer;

/// <summary>The language model of a trained pipeline, and what stands before it.</summary>
/// <param name="Model">The model.</param>
/// <param name="Before">The transformers before it, in order.</param>
internal sealed record LanguageModelChain(CausalLanguageModelTransformer Model, IReadOnlyList<ITransformer> Before)
{
    /// <summary>Finds the language model in a chain, or alone.</summary>
    /// <exception cref="ArgumentException">There is none, or more than one.</exception>
    public static LanguageModelChain Find(ITransformer model)
    {
        var transformers = Flatten(model).ToList();
        var languageModels = transformers.OfType<CausalLanguageModelTransformer>().ToList();
        return languageModels.Count == 1 ? new LanguageModelChain(languageModels[0], transformers[..transformers.IndexOf(languageModels[0])])
            : throw new ArgumentException($"The model holds {languageModels.Count} causal language models among {transformers.Count} transformers, expected 1.", nameof(model));
    }

    // A chain of any element type is a sequence of transformers; chains may hold chains.
    private static IEnumerable<ITransformer> Flatten(ITransformer model) =>
        model is IEnumerable<ITransformer> chain ? chain.SelectMany(Flatten) : [model];
}
