using MLNetExtension.Tokenization;

namespace MLNetExtension.Generation;

/// <summary>A text that is being generated: its prompt and the tokens chosen so far.</summary>
internal sealed class TextContinuation
{
    private readonly GenerationOptions _options;
    private readonly ILanguageTokenizer _tokenizer;
    private readonly IReadOnlySet<int> _endIds;
    private readonly int? _scored;
    private readonly List<int> _ids;
    private readonly HashSet<int> _seen;
    private readonly TokenSampler _sampler;
    private readonly StreamingDecoder _decoder;
    private readonly StopStringFilter _stop;

    /// <summary>Starts a text.</summary>
    /// <param name="ids">The ids that it begins with.</param>
    /// <param name="options">How to generate; valid.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="endIds">Ids that end a text.</param>
    /// <param name="scored">With every token, how many of the most probable ones are listed; null where tokens are not scored.</param>
    public TextContinuation(IReadOnlyList<int> ids, GenerationOptions options, ILanguageTokenizer tokenizer, IReadOnlySet<int> endIds, int? scored = null)
    {
        (_options, _tokenizer, _endIds, _scored, PromptCount) = (options, tokenizer, endIds, scored, ids.Count);
        _ids = [.. ids];
        _seen = [.. ids.Where(id => !endIds.Contains(id))];
        _sampler = new TokenSampler(options);
        _decoder = new StreamingDecoder(tokenizer);
        _stop = new StopStringFilter(options.StopStrings);
    }

    /// <summary>All ids so far, from the first, without one that ended the text.</summary>
    public IReadOnlyList<int> Ids => _ids;

    /// <summary>How many ids the text began with.</summary>
    public int PromptCount { get; }

    /// <summary>How many tokens the model has been let choose, one that ended the text included.</summary>
    public int ChosenCount { get; private set; }

    /// <summary>Why the text ended; null while it goes on.</summary>
    public FinishReason? Finished { get; private set; }

    /// <summary>Whether the text is complete.</summary>
    public bool IsFinished => Finished is not null;

    /// <summary>Chooses the next token and appends it.</summary>
    /// <param name="logits">The model's logits for it, one for each of its ids; the repetition penalty changes them in place. Ids that the tokenizer does not have are never chosen.</param>
    public GeneratedToken AppendToken(Span<double> logits)
    {
        double[]? asTheyAre = _scored is not null && _options.RepetitionPenalty != 1 ? logits.ToArray() : null;
        Span<double> allowed = logits[..Math.Min(logits.Length, _tokenizer.VocabularySize)];
        Penalize(allowed);
        int id = _sampler.Sample(allowed);
        ChosenCount++;
        TokenScore? score = _scored is { } count ? TokenScore.Of(asTheyAre ?? logits, id, count, _tokenizer.VocabularySize) : null;
        return new GeneratedToken(id, Append(id), score);
    }

    private string Append(int id)
    {
        if (_endIds.Contains(id))
            return Finish("", FinishReason.EndOfText);

        _ids.Add(id);
        _seen.Add(id);
        string piece = _stop.Append(_decoder.Append(id));
        if (_stop.HasStopped)
            Finished = FinishReason.StopString;
        return !IsFinished && ChosenCount == _options.MaximumNewTokens ? Finish(piece, FinishReason.MaximumTokens) : piece;
    }

    // The decoder's last characters may complete a stop string too.
    private string Finish(string piece, FinishReason reason)
    {
        piece += _stop.Append(_decoder.Flush());
        Finished = _stop.HasStopped ? FinishReason.StopString : reason;
        return piece + _stop.Flush();
    }

    private void Penalize(Span<double> logits)
    {
        if (_options.RepetitionPenalty == 1)
            return;
        foreach (int id in _seen)
            logits[id] = logits[id] > 0 ? logits[id] / _options.RepetitionPenalty : logits[id] * _options.RepetitionPenalty;
    }
}
