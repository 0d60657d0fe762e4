using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.MLNet.Transformer;

namespace MLNetExtension;

/// <summary>Continues prompts with the language model of a trained pipeline, after the pipeline's own transformers have been applied to them.</summary>
/// <remarks>A model that was trained on chats reads the prompt as a user's message and answers it. One thread at a time; create one for each thread. It uses the pipeline's model and does not own it.</remarks>
public sealed class PromptedTextGenerator
{
    private readonly PromptRow? _row;
    private readonly ValueGetter<ReadOnlyMemory<char>>? _prepared;
    private readonly CausalLanguageModelTransformer _model;
    private readonly RowScoring _scoring;

    private PromptedTextGenerator(CausalLanguageModelTransformer model, IReadOnlyList<ITransformer> before)
    {
        (_model, _scoring) = (model, model.Scoring);
        // Rows of token ids and chats have no text that a transformer could be applied to: the tokenizer gets the prompt itself.
        if (model.PromptColumnName is not { } promptColumn)
            return;
        _row = new PromptRow(model.InputColumnNames, promptColumn);
        _prepared = Prepare(_row, before, promptColumn);
    }

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

    internal static PromptedTextGenerator Create(ITransformer model)
    {
        var transformers = Flatten(model).ToList();
        var languageModels = transformers.OfType<CausalLanguageModelTransformer>().ToList();
        if (languageModels.Count != 1)
            throw new ArgumentException($"The model holds {languageModels.Count} causal language models among {transformers.Count} transformers, expected 1.", nameof(model));
        return new PromptedTextGenerator(languageModels[0], transformers[..transformers.IndexOf(languageModels[0])]);
    }

    // A chain of any element type is a sequence of transformers; chains may hold chains.
    private static IEnumerable<ITransformer> Flatten(ITransformer model) =>
        model is IEnumerable<ITransformer> chain ? chain.SelectMany(Flatten) : [model];

    private IReadOnlyList<int> Encode(string prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        RowScoring scoring = _model.Scoring;
        if (_row is null)
            return scoring.EncodePrompt(prompt);
        _row.Set(prompt);
        ReadOnlyMemory<char> prepared = default;
        _prepared!(ref prepared);
        return scoring.EncodePrompt(prepared.ToString());
    }

    private static ValueGetter<ReadOnlyMemory<char>> Prepare(PromptRow row, IReadOnlyList<ITransformer> transformers, string column)
    {
        var mappers = new List<IRowToRowMapper>();
        var schema = row.Schema;
        foreach (var transformer in transformers)
        {
            mappers.Add(Bind(transformer, schema, column));
            schema = mappers[^1].OutputSchema;
        }

        // Which columns each transformer must give is known from the last one backwards.
        var needed = new Stack<IEnumerable<DataViewSchema.Column>>([[schema[column]]]);
        for (int i = mappers.Count - 1; i > 0; i--)
            needed.Push([.. mappers[i].GetDependencies(needed.Peek())]);
        DataViewRow prepared = row;
        foreach (var mapper in mappers)
            prepared = mapper.GetRow(prepared, needed.Pop());
        return prepared.GetGetter<ReadOnlyMemory<char>>(prepared.Schema[column]);
    }

    private static IRowToRowMapper Bind(ITransformer transformer, DataViewSchema schema, string column)
    {
        try
        {
            return transformer.GetRowToRowMapper(schema);
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException or NotSupportedException)
        {
            throw new InvalidOperationException($"{transformer.GetType().Name}, which stands before the language model, cannot be applied to a prompt "
                + $"alone (column '{column}'): {exception.Message}", exception);
        }
    }
}
