using System.Runtime.CompilerServices;
using System.Text;
using MLNetExtension.Models;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Generation;

/// <summary>Lets a causal language model continue a prompt, or several at once.</summary>
/// <remarks>
/// <para>The model reads beginning-of-text, or end-of-text where the tokenizer has no other, and the prompt's tokens, as it did in training. It stops at end-of-text, which is not part of the text, before one of
/// <see cref="GenerationOptions.StopStrings"/>, or at <see cref="GenerationOptions.MaximumNewTokens"/>.</para>
/// <para>Keys and values are cached, so a token costs a pass over that token alone. When the context is full, the model continues from the last tokens that fit. Each of them then has
/// another position and fewer tokens before it, so the cache no longer holds: from there on a token costs a pass over the whole context.</para>
/// <para>Ids of the model beyond those of the tokenizer, such as rows that pad a vocabulary, are never chosen: they have no text.</para>
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
    public TextGenerator(CausalLanguageModel model, ILanguageTokenizer tokenizer, IReadOnlyCollection<int>? endIds = null)
    {
        (_model, _tokenizer) = (model, tokenizer);
        _endIds = [tokenizer.EndOfTextId, .. endIds ?? []];
    }

    /// <summary>Encodes a prompt as the model reads it.</summary>
    /// <param name="prompt">The text to continue; empty for a text from its beginning.</param>
    public IReadOnlyList<int> Encode(string prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return AddBeginning(_tokenizer.EncodeText(prompt));
    }

    /// <summary>Puts the id that a text begins with before the ids of a text.</summary>
    /// <param name="ids">Ids of the vocabulary.</param>
    public IReadOnlyList<int> AddBeginning(IEnumerable<int> ids) => [_tokenizer.BeginningId, .. ids];

    /// <summary>Starts a text for a <see cref="RunningBatch"/>, which ends, at the latest, where it fills the context.</summary>
    /// <param name="prompt">Its ids; at least one, and fewer than the context has positions.</param>
    /// <param name="options">How to generate.</param>
    /// <param name="scored">With every token, how many of the most probable ones are listed; null where tokens are not scored.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">The prompt leaves no room in the context.</exception>
    public TextContinuation Start(IReadOnlyList<int> prompt, GenerationOptions options, int? scored = null)
    {
        int room = _model.ContextLength - prompt.Count;
        if (prompt.Count == 0 || room < 1)
            throw new ArgumentException($"The prompt has {prompt.Count} tokens; the model's context holds {_model.ContextLength}, at least one of them a new one.", nameof(prompt));
        GenerationOptions valid = Validate(options);
        return new TextContinuation(prompt, valid with { MaximumNewTokens = Math.Min(valid.MaximumNewTokens, room) }, _tokenizer, _endIds, scored);
    }

    /// <summary>Continues a prompt.</summary>
    /// <param name="prompt">Its ids, such as <see cref="Encode"/> gives them; at least one.</param>
    /// <param name="options">How to generate; null for the defaults.</param>
    /// <returns>The continuation, without the prompt.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The model is in training mode, or gives logits that are not numbers.</exception>
    public string Generate(IReadOnlyList<int> prompt, GenerationOptions? options = null) => Generate([prompt], options)[0];

    /// <summary>Continues several prompts together, each as it would be continued alone.</summary>
    /// <param name="prompts">The ids of each. All of them are in memory at once.</param>
    /// <param name="options">How to generate. The first text is drawn with the seed given, the second with the next, and so on.</param>
    /// <param name="cancellationToken">Ends the generation before its next tokens.</param>
    /// <returns>The continuations, in the order of the prompts.</returns>
    public IReadOnlyList<string> Generate(IReadOnlyList<IReadOnlyList<int>> prompts, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        GenerationOptions valid = Validate(options);
        return GenerateEach([.. prompts.Select((ids, i) => (ids, valid with { Seed = unchecked(valid.Seed + i) }))], cancellationToken);
    }

    /// <summary>Continues several prompts together, each as it would be continued alone with the same options and seed.</summary>
    /// <param name="prompts">The ids of each. All of them are in memory at once.</param>
    /// <param name="options">How to generate.</param>
    /// <returns>The continuations, in the order of the prompts.</returns>
    public IReadOnlyList<string> GenerateAlike(IReadOnlyList<IReadOnlyList<int>> prompts, GenerationOptions options)
    {
        GenerationOptions valid = Validate(options);
        return GenerateEach([.. prompts.Select(ids => (ids, valid))], CancellationToken.None);
    }

    /// <summary>Continues a prompt and gives the text as it comes.</summary>
    /// <param name="prompt">Its ids.</param>
    /// <param name="options">How to generate; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the generation before its next token.</param>
    /// <returns>Pieces that together are the continuation; each is whole characters, and none is empty. Each enumeration generates anew.</returns>
    public IEnumerable<string> Stream(IReadOnlyList<int> prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        StreamPieces(prompt, Validate(options), cancellationToken);

    /// <summary>Does what <see cref="Stream"/> does on threads of the pool.</summary>
    /// <param name="prompt">Its ids.</param>
    /// <param name="options">How to generate; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the generation before its next token.</param>
    public IAsyncEnumerable<string> StreamAsync(IReadOnlyList<int> prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        GeneratePiecesAsync(prompt, Validate(options), cancellationToken);

    // Checked before the iterators, which only run when their first piece is read.
    private static GenerationOptions Validate(GenerationOptions? options)
    {
        options ??= new GenerationOptions();
        options.Validate();
        return options;
    }

    private async IAsyncEnumerable<string> GeneratePiecesAsync(IReadOnlyList<int> prompt, GenerationOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // No dispose scope is open between two pieces, so each may come from another thread.
        using IEnumerator<string> pieces = StreamPieces(prompt, options, cancellationToken).GetEnumerator();
        while (await Task.Run(pieces.MoveNext, cancellationToken).ConfigureAwait(false))
            yield return pieces.Current;
    }

    // The model is in use while a piece is generated, and not between two pieces: the caller may take any time there, or never come back.
    private IEnumerable<string> StreamPieces(IReadOnlyList<int> prompt, GenerationOptions options, CancellationToken cancellationToken)
    {
        using IEnumerator<(int, string Text)> pieces = GeneratePieces([(prompt, options)], cancellationToken).GetEnumerator();
        while (true)
        {
            using (_model.Lifetime.Use())
            {
                if (!pieces.MoveNext())
                    yield break;
            }
            yield return pieces.Current.Text;
        }
    }

    private string[] GenerateEach(IReadOnlyList<(IReadOnlyList<int> Ids, GenerationOptions Options)> prompts, CancellationToken cancellationToken)
    {
        using var use = _model.Lifetime.Use();
        StringBuilder[] texts = [.. prompts.Select(_ => new StringBuilder())];
        foreach ((int text, string piece) in GeneratePieces(prompts, cancellationToken))
            texts[text].Append(piece);
        return [.. texts.Select(text => text.ToString())];
    }

    // The caller's use of the model covers every step of the enumerator.
    private IEnumerable<(int Prompt, string Text)> GeneratePieces(IReadOnlyList<(IReadOnlyList<int> Ids, GenerationOptions Options)> prompts, CancellationToken cancellationToken)
    {
        List<(int Prompt, TextContinuation Text)> live = [.. prompts.Select((prompt, i) => (i, new TextContinuation(prompt.Ids, prompt.Options, _tokenizer, _endIds)))];
        using NextTokenPredictor predictor = new(_model);
        while (live.Count > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            double[][] logits = predictor.Predict([.. live.Select(text => text.Text.Ids)]);
            for (int i = 0; i < live.Count; i++)
            {
                string piece = live[i].Text.AppendToken(logits[i]).Text;
                if (piece.Length > 0)
                    yield return (live[i].Prompt, piece);
            }
            live.RemoveAll(text => text.Text.IsFinished);
        }
    }
}
