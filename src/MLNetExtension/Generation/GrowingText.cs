using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Generation;

/// <summary>A prompt and what has been generated after it, one token at a time. One text, one object.</summary>
internal sealed class GrowingText
{
    private readonly GenerationOptions _options;
    private readonly IReadOnlySet<int> _ends;
    private readonly List<int> _ids;
    private readonly HashSet<int> _seen;
    private readonly TokenSampler _sampler;
    private readonly IStreamingDecoder _decoder;
    private readonly StopStringFilter _stop;
    private int _left;

    /// <summary>Begins a text.</summary>
    /// <param name="ids">The ids that it begins with.</param>
    /// <param name="options">How to generate; valid.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="ends">Ids that end a text.</param>
    public GrowingText(IReadOnlyList<int> ids, GenerationOptions options, Tokenizer tokenizer, IReadOnlySet<int> ends)
    {
        (_options, _ends, _left) = (options, ends, options.MaximumNewTokens);
        _ids = [.. ids];
        _seen = [.. ids.Where(id => !ends.Contains(id))];
        _sampler = new TokenSampler(options);
        _decoder = StreamingDecoder.For(tokenizer);
        _stop = new StopStringFilter(options.StopStrings);
    }

    /// <summary>All ids so far, from the first.</summary>
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
        if (_ends.Contains(id))
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
        foreach (int id in _seen)
            logits[id] = logits[id] > 0 ? logits[id] / _options.RepetitionPenalty : logits[id] * _options.RepetitionPenalty;
    }
}
