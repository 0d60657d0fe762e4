using Microsoft.ML;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.MLNet.Transformer;

namespace MLNetExtension;

/// <summary>Continues prompts with the language model of a trained pipeline, after the pipeline's own transformers have been applied to them.</summary>
/// <remarks>A model that was trained on chats reads the prompt as a user's message and answers it. One thread at a time; create one for each thread. It uses the pipeline's model and does not own it.</remarks>
public sealed class PromptedTextGenerator
{
    private readonly CausalLanguageModelTransformer _model;
    private readonly RowScoring _scoring;
    private readonly PipelineText _prompts;

    private PromptedTextGenerator(LanguageModelChain chain) =>
        (_model, _scoring, _prompts) = (chain.Model, chain.Model.Scoring, PipelineText.Create(chain, chain.Model.PromptColumnName));

    /// <summary>Continues a prompt.</summary>
    /// <param name="prompt">The text to continue; empty for a text from its beginning.</param>
    /// <param name="options">How to choose tokens. Default: those of <see cref="GenerationOptions"/>.</param>
    /// <returns>The continuation, without the prompt.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public string Generate(string prompt, GenerationOptions? options = null) => _scoring.Generator.Generate(Encode(prompt), options);

    /// <summary>Continues several prompts together, which is faster than one after another; each gets the text that it would get alone.</summary>
    /// <param name="prompts">The texts to continue, of any lengths; all of them are in memory at once.</param>
    /// <param name="options">How to choose tokens. Where it has a seed, the first text is drawn with it, the second with the next, and so on.</param>
    /// <param name="cancellationToken">Checked before every token.</param>
    /// <returns>The continuations, in the order of the prompts.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    public IReadOnlyList<string> Generate(IReadOnlyList<string> prompts, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        return _scoring.Generator.Generate([.. prompts.Select(Encode)], options, cancellationToken);
    }

    /// <summary>Continues a prompt and returns each piece of text as soon as it is known.</summary>
    /// <param name="prompt">The text to continue; empty for a text from its beginning.</param>
    /// <param name="options">How to choose tokens. Default: those of <see cref="GenerationOptions"/>.</param>
    /// <param name="cancellationToken">Checked before every token.</param>
    /// <returns>Pieces of whole characters that together are the continuation. Each enumeration generates anew.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed; while enumerating, before the next piece.</exception>
    public IEnumerable<string> Stream(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        _scoring.Generator.Stream(Encode(prompt), options, cancellationToken);

    /// <summary>Continues a prompt on threads of the pool and returns each piece of text as soon as it is known.</summary>
    /// <param name="prompt">The text to continue; empty for a text from its beginning.</param>
    /// <param name="options">How to choose tokens. Default: those of <see cref="GenerationOptions"/>.</param>
    /// <param name="cancellationToken">Checked before every token, as is that of <c>WithCancellation</c>.</param>
    /// <returns>The pieces that <see cref="Stream"/> returns. Each enumeration generates anew.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    /// <exception cref="OperationCanceledException">While enumerating: the token was cancelled.</exception>
    public IAsyncEnumerable<string> StreamAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        _scoring.Generator.StreamAsync(Encode(prompt), options, cancellationToken);

    internal static PromptedTextGenerator Create(ITransformer model) => new(LanguageModelChain.Find(model));

    private IReadOnlyList<int> Encode(string prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        RowScoring scoring = _model.Scoring;
        return scoring.EncodePrompt(_prompts.Apply(prompt));
    }
}
