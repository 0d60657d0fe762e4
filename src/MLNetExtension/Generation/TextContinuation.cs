using MLNetExtension.Tokenization;

namespace MLNetExtension.Generation;

/// <summary>A text that is being generated: its prompt and the tokens chosen so far.</summary>
internal sealed class TextContinuation
{
    private readonly GenerationOptions _options;
    private readonly IReadOnlySet<int> _endIds;
    private readonly List<int> _ids;
    private readonly HashSet<int> _seen;
    private readonly TokenSampler _sampler;
    private readonly StreamingDecoder _decoder;
    private readonly StopStringFilter _stop;
    private int _remaining;

    /// <summary>Starts a text.</summary>
    /// <param name="ids">The ids that it begins with.</param>
    /// <param name="options">How to generate; valid.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="endIds">Ids that end a text.</param>
    public TextContinuation(IReadOnlyList<int> ids, GenerationOptions options, ILanguageTokenizer tokenizer, IReadOnlySet<int> endIds)
    {
        (_options, _endIds, _remaining) = (options, endIds, options.MaximumNewTokens);
        _ids = [.. ids];
        _seen = [.. ids.Where(id => !endIds.Contains(id))];
        _sampler = new TokenSampler(options);
        _decoder = new StreamingDecoder(tokenizer);
        _stop = new StopStringFilter(options.StopStrings);
    }

    /// <summary>All ids so far, from the first.</summary>
    public IReadOnlyList<int> Ids => _ids;

    /// <summary>Whether the text is complete.</summary>
    public bool IsFinished { get; private set; }

    /// <summary>Chooses the next token and appends it.</summary>
    /// <param name="logits">The model's logits for it, one for each id of the tokenizer; the repetition penalty changes them in place.</param>
    /// <returns>The text that it completes, often none.</returns>
    public string AppendToken(Span<double> logits)
    {
        Penalize(logits);
        int id = _sampler.Sample(logits);
        if (_endIds.Contains(id))
            return Finish("");

        _ids.Add(id);
        _seen.Add(id);
        string piece = _stop.Append(_decoder.Append(id));
        IsFinished = _stop.HasStopped;
        return !IsFinished && --_remaining == 0 ? Finish(piece) : piece;
    }

    // The decoder's last characters may complete a stop string too.
    private string Finish(string piece)
    {
        IsFinished = true;
        piece += _stop.Append(_decoder.Flush());
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
