using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Models;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Generation;

/// <summary>Lets a causal language model continue a prompt, or several at once.</summary>
/// <remarks>
/// <para>The model reads beginning-of-text, or end-of-text where the tokenizer has no other, and the prompt's tokens, as it did in training. It stops at end-of-text, which is not part of the text, before one of
/// <see cref="GenerationOptions.StopStrings"/>, or at <see cref="GenerationOptions.MaximumNewTokens"/>.</para>
/// <para>Keys and values of tokens that it has read are kept while a text grows, so a token costs a pass over that token alone. When its context is full, the model goes on with the last tokens
/// that fit. Each of these then has another position and less before it, so nothing that was kept holds any more: from there on a token costs a pass over the whole context.</para>
/// <para>Choices are drawn on the host from random numbers of their own, so torch's random state is left alone. Any number of threads may generate from one model
/// at the same time; the model's owner puts it into evaluation mode, once, and a model that is not is refused.</para>
/// </remarks>
internal sealed class TextGenerator
{
    private readonly CausalLanguageModel _model;
    private readonly ILanguageTokenizer _tokenizer;
    private readonly HashSet<int> _endIds;

    /// <summary>Creates a generator for a model, which the caller owns.</summary>
    /// <param name="model">The model, which must be in evaluation mode whenever text is generated.</param>
    /// <param name="tokenizer">The tokenizer that the model was trained with.</param>
    /// <param name="endIds">Ids that end a text, besides the tokenizer's end-of-text; null for none.</param>
    /// <exception cref="ArgumentNullException"><paramref name="model"/> or <paramref name="tokenizer"/> is null.</exception>
    public TextGenerator(CausalLanguageModel model, ILanguageTokenizer tokenizer, IReadOnlyCollection<int>? endIds = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        _model = model;
        _tokenizer = tokenizer;
        _endIds = [tokenizer.EndOfTextId, .. endIds ?? []];
    }

    /// <summary>Continues a prompt.</summary>
    /// <param name="prompt">The text to continue; empty for a text from its beginning.</param>
    /// <param name="options">How to generate; null for the defaults.</param>
    /// <returns>The continuation, without the prompt.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="prompt"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The model is in training mode, or gives logits that are not numbers.</exception>
    public string Generate(string prompt, GenerationOptions? options = null) => string.Concat(Stream(prompt, options));

    /// <summary>Continues several prompts side by side, each as it would be continued alone, which is faster than one after another.</summary>
    /// <param name="prompts">The texts to continue, of any lengths. All of them are in memory at once.</param>
    /// <param name="options">How to generate; null for the defaults. The first text is drawn with the seed given, the second with the next, and so on.</param>
    /// <param name="cancellationToken">Ends the generation before its next tokens.</param>
    /// <returns>The continuations, in the order of the prompts.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="prompts"/> or one of them is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The model is in training mode, or gives logits that are not numbers.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    public IReadOnlyList<string> Generate(IReadOnlyList<string> prompts, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        options = Validate(options);
        IReadOnlyList<int>[] ids = [.. prompts.Select(Encode)];
        StringBuilder[] texts = [.. prompts.Select(_ => new StringBuilder())];
        foreach ((int text, string piece) in GeneratePieces(ids, options, cancellationToken))
            texts[text].Append(piece);
        return [.. texts.Select(text => text.ToString())];
    }

    /// <summary>Continues a prompt and gives the text as it comes.</summary>
    /// <param name="prompt">The text to continue; empty for a text from its beginning.</param>
    /// <param name="options">How to generate; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the generation before its next token.</param>
    /// <returns>Pieces that together are the continuation; each is whole characters, and none is empty. Each enumeration generates anew.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="prompt"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The model is in training mode, or gives logits that are not numbers.</exception>
    /// <exception cref="OperationCanceledException">While enumerating: <paramref name="cancellationToken"/> was cancelled.</exception>
    public IEnumerable<string> Stream(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        GeneratePieces([Encode(prompt)], Validate(options), cancellationToken).Select(piece => piece.Text);

    /// <summary>Continues a prompt and gives the text as it comes, computed on threads of the pool.</summary>
    /// <param name="prompt">The text to continue; empty for a text from its beginning.</param>
    /// <param name="options">How to generate; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the generation before its next token.</param>
    /// <returns>The pieces that <see cref="Stream(string, GenerationOptions?, CancellationToken)"/> gives. Each enumeration generates anew.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="prompt"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The model is in training mode, or gives logits that are not numbers.</exception>
    /// <exception cref="OperationCanceledException">While enumerating: <paramref name="cancellationToken"/> was cancelled.</exception>
    public IAsyncEnumerable<string> StreamAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        GeneratePiecesAsync(Encode(prompt), Validate(options), cancellationToken);

    /// <summary>Continues a prompt of token ids.</summary>
    /// <param name="promptIds">Ids of the vocabulary, without the one that a text begins with.</param>
    /// <param name="options">How to generate; valid.</param>
    internal string Generate(IReadOnlyList<int> promptIds, GenerationOptions options) => Continue([Beginning, .. promptIds], options);

    /// <summary>Continues token ids that are whole as they are, such as those of a chat.</summary>
    /// <param name="ids">Ids of the vocabulary, at least one.</param>
    /// <param name="options">How to generate; valid.</param>
    internal string Continue(IReadOnlyList<int> ids, GenerationOptions options) => string.Concat(Stream(ids, options, CancellationToken.None));

    /// <summary>Continues token ids that are whole as they are and gives the text as it comes.</summary>
    /// <param name="ids">Ids of the vocabulary, at least one.</param>
    /// <param name="options">How to generate; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the generation before its next token.</param>
    internal IEnumerable<string> Stream(IReadOnlyList<int> ids, GenerationOptions? options, CancellationToken cancellationToken) =>
        GeneratePieces([ids], Validate(options), cancellationToken).Select(piece => piece.Text);

    private int Beginning => _tokenizer.BeginningOfTextId ?? _tokenizer.EndOfTextId;

    // Checked and encoded before the iterators, which only run when their first piece is asked for.
    private static GenerationOptions Validate(GenerationOptions? options)
    {
        options ??= new GenerationOptions();
        options.Validate();
        return options;
    }

    private IReadOnlyList<int> Encode(string prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return [Beginning, .. _tokenizer.EncodeText(prompt)];
    }

    private async IAsyncEnumerable<string> GeneratePiecesAsync(IReadOnlyList<int> promptIds, GenerationOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // No dispose scope is open between two pieces, so each may come from another thread.
        using IEnumerator<(int, string Text)> pieces = GeneratePieces([promptIds], options, cancellationToken).GetEnumerator();
        while (await Task.Run(pieces.MoveNext, cancellationToken).ConfigureAwait(false))
            yield return pieces.Current.Text;
    }

    private IEnumerable<(int Prompt, string Text)> GeneratePieces(IReadOnlyList<IReadOnlyList<int>> prompts, GenerationOptions options, CancellationToken cancellationToken)
    {
        List<(int Prompt, TextContinuation Text)> live =
            [.. prompts.Select((ids, i) => (i, new TextContinuation(ids, options with { Seed = unchecked(options.Seed + i) }, (Tokenizer)_tokenizer, _endIds)))];
        using NextTokenPredictor predictor = new(_model);
        while (live.Count > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_model.training)
                throw new InvalidOperationException("The model is in training mode, where dropout would disturb it. Call eval() on it before generating text.");

            double[][] logits = predictor.Predict([.. live.Select(text => text.Text.Ids)]);
            for (int i = 0; i < live.Count; i++)
            {
                string piece = live[i].Text.AppendToken(logits[i]);
                if (piece.Length > 0)
                    yield return (live[i].Prompt, piece);
            }

            int[] unfinished = [.. Enumerable.Range(0, live.Count).Where(i => !live[i].Text.IsFinished)];
            if (unfinished.Length == live.Count)
                continue;
            predictor.Keep(unfinished);
            live = [.. unfinished.Select(i => live[i])];
        }
    }
}
