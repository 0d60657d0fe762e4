using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tokenization.HuggingFace;

internal sealed partial class HuggingFaceTokenizer
{
    private const int IdsOfPart = 1 << 16;

    /// <inheritdoc/>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is null.</exception>
    public IReadOnlyList<int> EncodeText(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return EncodeIds(_contentTokens.Prepare(text, considerNormalization: true), considerPreTokenization: true);
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeStart(string text, int maximumCount) => EncodeIds(_contentTokens.Prepare(text, considerNormalization: true), considerPreTokenization: true, maximumCount);

    /// <inheritdoc/>
    public void EncodeParts(string text, Action<IReadOnlyList<int>> read)
    {
        PreparedText prepared = _contentTokens.Prepare(text, considerNormalization: true);
        List<int> ids = [];
        Split(prepared, considerPreTokenization: true, part =>
        {
            if (part.Id == TextPart.Plain)
                _words.Encode(prepared.Text.AsSpan(part.Start, part.Length), ids);
            else
                ids.Add(part.Id);

            if (ids.Count >= IdsOfPart)
                Flush();
            return true;
        });
        Flush();

        void Flush()
        {
            read(ids);
            ids.Clear();
        }
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
        Split(prepared, settings.ConsiderPreTokenization, part =>
        {
            if (part.Id == TextPart.Plain)
                _words.Encode(prepared.Text.AsSpan(part.Start, part.Length), part.Start, tokens);
            else
                tokens.Add(new EncodedToken(part.Id, prepared.Text.Substring(part.Start, part.Length), part.Start..(part.Start + part.Length)));

            // One token past the limit tells whether the limit falls inside a character.
            return tokens.Count <= settings.MaxTokenCount;
        });
        return (prepared.Text, tokens);
    }

    private List<int> EncodeIds(PreparedText prepared, bool considerPreTokenization, int maximumCount = int.MaxValue)
    {
        var ids = new List<int>();
        Split(prepared, considerPreTokenization, part =>
        {
            if (part.Id == TextPart.Plain)
                _words.Encode(prepared.Text.AsSpan(part.Start, part.Length), ids, maximumCount == int.MaxValue ? int.MaxValue : maximumCount - ids.Count);
            else
                ids.Add(part.Id);

            return ids.Count < maximumCount;
        });
        if (ids.Count > maximumCount)
            ids.RemoveRange(maximumCount, ids.Count - maximumCount);

        return ids;
    }

    // The added tokens and, between them, the words, until the reader has enough.
    private void Split(PreparedText prepared, bool considerPreTokenization, Func<TextPart, bool> read)
    {
        foreach (TextPart part in prepared.Parts)
        {
            bool goesOn = part.Id == TextPart.Plain && considerPreTokenization
                ? _preTokenizer.Split(prepared.Text, part.Start, part.Length, (start, length) => read(new TextPart(start, length, TextPart.Plain)))
                : read(part);
            if (!goesOn)
                return;
        }
    }
}
