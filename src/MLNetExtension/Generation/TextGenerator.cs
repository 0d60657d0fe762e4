using System.Runtime.InteropServices;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Models;
using MLNetExtension.Tokenization;
using static TorchSharp.torch;

namespace MLNetExtension.Generation;

/// <summary>Lets a causal language model continue a prompt. T positions, C width, V vocabulary.</summary>
/// <remarks>
/// <para>The model reads end-of-text and the prompt's tokens, as it did in training. When its context is full it goes on with the last tokens that fit.
/// It stops at end-of-text, which is not part of the text, or at <see cref="GenerationOptions.MaximumNewTokens"/>.</para>
/// <para>Choices are drawn on the host from random numbers of their own, so torch's random state is left alone. Any number of threads may generate from one model
/// at the same time; the model's owner puts it into evaluation mode, once, and a model that is not is refused.</para>
/// <para>Each token costs a pass over the whole context: nothing is kept between tokens.</para>
/// </remarks>
public sealed class TextGenerator
{
    private readonly CausalLanguageModel _model;
    private readonly Tokenizer _tokenizer;
    private readonly int _endOfText;

    /// <summary>Makes a generator over a model, which stays its owner's.</summary>
    /// <param name="model">The model, in evaluation mode whenever text is generated.</param>
    /// <param name="tokenizer">The tokenizer that the model was trained with.</param>
    /// <param name="endOfText">The id of the end-of-text token.</param>
    /// <exception cref="ArgumentNullException"><paramref name="model"/> or <paramref name="tokenizer"/> is null.</exception>
    public TextGenerator(CausalLanguageModel model, Tokenizer tokenizer, int endOfText)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        _model = model;
        _tokenizer = tokenizer;
        _endOfText = endOfText;
    }

    /// <summary>Continues a prompt.</summary>
    /// <param name="prompt">The text to continue; empty for a text from its beginning.</param>
    /// <param name="options">How to generate; null for the defaults.</param>
    /// <returns>The continuation, without the prompt.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="prompt"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The model is in training mode, or gives logits that are not numbers.</exception>
    public string Generate(string prompt, GenerationOptions? options = null) => string.Concat(Stream(prompt, options));

    /// <summary>Continues a prompt and gives the text as it comes.</summary>
    /// <param name="prompt">The text to continue; empty for a text from its beginning.</param>
    /// <param name="options">How to generate; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the generation before its next token.</param>
    /// <returns>Pieces that together are the continuation; each is whole characters, and none is empty. Each enumeration generates anew.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="prompt"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The model is in training mode, or gives logits that are not numbers.</exception>
    /// <exception cref="OperationCanceledException">While enumerating: <paramref name="cancellationToken"/> was cancelled.</exception>
    public IEnumerable<string> Stream(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        // Checked here and not in the iterator, which would only run with the first piece.
        ArgumentNullException.ThrowIfNull(prompt);
        options ??= new GenerationOptions();
        options.Validate();
        return Pieces(prompt, options, cancellationToken);
    }

    private IEnumerable<string> Pieces(string prompt, GenerationOptions options, CancellationToken cancellationToken)
    {
        IStreamingDecoder decoder = StreamingDecoder.For(_tokenizer);
        foreach (int id in NewTokens(prompt, options, cancellationToken))
        {
            string piece = decoder.Append(id);
            if (piece.Length > 0)
                yield return piece;
        }

        string rest = decoder.Flush();
        if (rest.Length > 0)
            yield return rest;
    }

    private IEnumerable<int> NewTokens(string prompt, GenerationOptions options, CancellationToken cancellationToken)
    {
        var sampler = new TokenSampler(options);
        List<int> ids = [_endOfText, .. _tokenizer.EncodeToIds(prompt, considerNormalization: false)];
        for (int count = 0; count < options.MaximumNewTokens; count++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int id = sampler.Next(NextLogits(CollectionsMarshal.AsSpan(ids)));
            if (id == _endOfText)
                yield break;

            ids.Add(id);
            yield return id;
        }
    }

    /// <summary>The logits, [V], of the token that follows <paramref name="ids"/>.</summary>
    private double[] NextLogits(ReadOnlySpan<int> ids)
    {
        if (_model.training)
            throw new InvalidOperationException("The model is in training mode, where dropout would disturb it. Call eval() on it before generating text.");

        long[] context = new long[Math.Min(ids.Length, _model.ContextLength)];
        for (int t = 0; t < context.Length; t++)
            context[t] = ids[ids.Length - context.Length + t];

        // Not inference_mode, for the reason given in RowScorer.
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Tensor row = tensor(context, [1, context.Length], device: _model.Device);      // [1,T]
        Tensor last = _model.Hidden(row).narrow(1, context.Length - 1, 1);                  // [1,1,C]
        return (_model.HeadWeight is { } head ? nn.functional.linear(last, head) : last).to(float64).cpu().data<double>().ToArray();
    }
}
