using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Generation;

/// <summary>A prompt and what has been generated after it, one token at a time. One text, one object.</summary>
internal sealed class GrowingText
{
    private readonly GenerationOptions _options;
    private readonly int _endOfText;
    private readonly List<int> _ids;
    private readonly HashSet<int> _seen;
    private readonly TokenSampler _sampler;
    private readonly IStreamingDecoder _decoder;
    private readonly StopStringFilter _stop;
    private int _left;

    /// <summary>Begins a text.</summary>
    /// <param name="promptIds">The prompt's ids; end-of-text is put before them.</param>
    /// <param name="options">How to generate; valid.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="endOfText">The id of the end-of-text token.</param>
    public GrowingText(IReadOnlyList<int> promptIds, GenerationOptions options, Tokenizer tokenizer, int endOfText)
    {
        (_options, _endOfText, _left) = (options, endOfText, options.MaximumNewTokens);
        _ids = [endOfText, .. promptIds];
        _seen = [.. promptIds];
        _sampler = new TokenSampler(options);
        _decoder = StreamingDecoder.For(tokenizer);
        _stop = new StopStringFilter(options.StopStrings);
    }

    /// <summary>All ids so far, from the end-of-text that comes before the prompt.</summary>
    public IReadOnlyList<int> Ids => _ids;

    /// <summary>Whether no token follows any more.</summary>
    public bool IsFinished { get; private set; }

    /// <summary>Chooses the next token.</summary>
    /// <param name="logits">What the model gives for it; changed on the way.</param>
    /// <returns>The text that is settled by it, often none.</returns>
    public string Choose(double[] logits)
    {
        Penalize(logits);
        int id = _sampler.Next(logits);
        if (id == _endOfText)
            return Finish("");

        _ids.Add(id);
        _seen.Add(id);
        string piece = _stop.Append(_decoder.Append(id));
        IsFinished = _stop.HasStopped;
        return !IsFinished && --_left == 0 ? Finish(piece) : piece;
    }

    // The decoder's last characters may complete a stop string too.
    private string Finish(string piece)
    {
        IsFinished = true;
        piece += _stop.Append(_decoder.Flush());
        return piece + _stop.Flush();
    }

    private void Penalize(double[] logits)
    {
        if (_options.RepetitionPenalty == 1)
            return;
        foreach (int id in _seen.Where(id => id != _endOfText))
            logits[id] = logits[id] > 0 ? logits[id] / _options.RepetitionPenalty : logits[id] * _options.RepetitionPenalty;
    }
}
