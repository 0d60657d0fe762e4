using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tokenization.HuggingFace;

internal sealed partial class HuggingFaceTokenizer
{
    /// <inheritdoc/>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is null.</exception>
    public IReadOnlyList<int> EncodeText(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return EncodeIds(_contentTokens.Prepare(text, considerNormalization: true), considerPreTokenization: true);
    }

    /// <inheritdoc/>
    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        // A limit needs to know where characters end.
        if (settings.MaxTokenCount < int.MaxValue)
            return base.EncodeToIds(text, textSpan, settings);

        PreparedText prepared = _everyToken.Prepare(text ?? textSpan.ToString(), settings.ConsiderNormalization);
        return new EncodeResults<int>
        {
            Tokens = EncodeIds(prepared, settings.ConsiderPreTokenization),
            CharsConsumed = prepared.Text.Length,
            NormalizedText = prepared.IsNormalized ? prepared.Text : null,
        };
    }

    /// <inheritdoc/>
    protected override (string Text, List<EncodedToken> Tokens) Tokenize(string text, EncodeSettings settings)
    {
        PreparedText prepared = _everyToken.Prepare(text, settings.ConsiderNormalization);
        var tokens = new List<EncodedToken>();
        // One token past the limit tells whether the limit falls inside a character.
        foreach (TextPart part in Split(prepared, settings.ConsiderPreTokenization).TakeWhile(_ => tokens.Count <= settings.MaxTokenCount))
        {
            if (part.Id == TextPart.Plain)
                _words.Encode(prepared.Text.AsSpan(part.Start, part.Length), part.Start, tokens);
            else
                tokens.Add(new EncodedToken(part.Id, prepared.Text.Substring(part.Start, part.Length), part.Start..(part.Start + part.Length)));
        }

        return (prepared.Text, tokens);
    }

    private List<int> EncodeIds(PreparedText prepared, bool considerPreTokenization)
    {
        var ids = new List<int>();
        foreach (TextPart part in Split(prepared, considerPreTokenization))
        {
            if (part.Id == TextPart.Plain)
                _words.Encode(prepared.Text.AsSpan(part.Start, part.Length), ids);
            else
                ids.Add(part.Id);
        }

        return ids;
    }

    // The added tokens and, between them, the words.
    private IEnumerable<TextPart> Split(PreparedText prepared, bool considerPreTokenization)
    {
        var words = new List<(int Offset, int Length)>();
        foreach (TextPart part in prepared.Parts)
        {
            words.Clear();
            if (part.Id == TextPart.Plain && considerPreTokenization)
                _preTokenizer.Split(prepared.Text.AsSpan(part.Start, part.Length), words);
            else
                words.Add((0, part.Length));

            foreach ((int offset, int length) in words)
                yield return new TextPart(part.Start + offset, length, part.Id);
        }
    }
}
