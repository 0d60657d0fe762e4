using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Transformer;

namespace MLNetExtension;

/// <summary>Continues prompts with the language model of a trained pipeline, after the pipeline's own transformers have been applied to them.</summary>
/// <remarks>A model that was trained on chats takes the prompt for what a user says, and answers. Not for several threads at once; make one for each. It uses the pipeline's model and does not own it.</remarks>
public sealed class PromptedTextGenerator
{
    private readonly TextGenerator _generator;
    private readonly PromptRow? _row;
    private readonly ValueGetter<ReadOnlyMemory<char>>? _prepared;
    private readonly CausalLanguageModelTransformer _model;

    private PromptedTextGenerator(CausalLanguageModelTransformer model, IReadOnlyList<ITransformer> before)
    {
        _model = model;
        _generator = model.CreateTextGenerator();
        // Rows of token ids and chats have no text that a transformer could be applied to: the prompt goes to the tokenizer as it stands.
        if (model.PromptColumnName is not { } promptColumn)
            return;
        _row = new PromptRow(model.InputColumnNames, promptColumn);
        _prepared = Prepare(_row, before, promptColumn);
    }

    /// <summary>Continues a prompt.</summary>
    /// <param name="prompt">May be empty: the model begins a text of its own.</param>
    /// <param name="options">How to choose tokens. Default: those of <see cref="GenerationOptions"/>.</param>
    /// <returns>What follows the prompt, without it.</returns>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public string Generate(string prompt, GenerationOptions? options = null) => string.Concat(Stream(prompt, options));

    /// <summary>Continues a prompt, giving each piece of text as soon as it is known.</summary>
    /// <param name="prompt">May be empty: the model begins a text of its own.</param>
    /// <param name="options">How to choose tokens. Default: those of <see cref="GenerationOptions"/>.</param>
    /// <param name="cancellationToken">Asked before every token.</param>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public IEnumerable<string> Stream(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Prepare(prompt) is var prepared && _model.ChatPrompt(prepared) is { } ids
            ? _generator.Stream(ids, options, cancellationToken)
            : _generator.Stream(prepared, options, cancellationToken);

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

    private string Prepare(string prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        _model.ThrowIfDisposed();
        if (_row is null)
            return prompt;
        _row.Set(prompt);
        ReadOnlyMemory<char> prepared = default;
        _prepared!(ref prepared);
        return prepared.ToString();
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
