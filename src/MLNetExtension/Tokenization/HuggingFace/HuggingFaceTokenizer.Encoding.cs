using System.Runtime.InteropServices;
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
        var words = new List<(int Offset, int Length)>();
        foreach (TextPart part in prepared.Parts)
        {
            // One token past the limit tells whether the limit falls inside a character.
            if (tokens.Count > settings.MaxTokenCount)
                break;

            if (part.Id != TextPart.Plain)
            {
                tokens.Add(new EncodedToken(part.Id, prepared.Text.Substring(part.Start, part.Length), part.Start..(part.Start + part.Length)));
                continue;
            }

            foreach ((int offset, int length) in SplitWords(prepared, part, settings.ConsiderPreTokenization, words))
                _words.Encode(prepared.Text.AsSpan(part.Start + offset, length), part.Start + offset, tokens);
        }

        return (prepared.Text, tokens);
    }

    private List<int> EncodeIds(PreparedText prepared, bool considerPreTokenization)
    {
        var ids = new List<int>();
        var words = new List<(int Offset, int Length)>();
        foreach (TextPart part in prepared.Parts)
        {
            if (part.Id != TextPart.Plain)
            {
                ids.Add(part.Id);
                continue;
            }

            foreach ((int offset, int length) in SplitWords(prepared, part, considerPreTokenization, words))
                _words.Encode(prepared.Text.AsSpan(part.Start + offset, length), ids);
        }

        return ids;
    }

    private ReadOnlySpan<(int Offset, int Length)> SplitWords(PreparedText prepared, TextPart part, bool considerPreTokenization, List<(int Offset, int Length)> words)
    {
        words.Clear();
        if (considerPreTokenization)
            _preTokenizer.Split(prepared.Text.AsSpan(part.Start, part.Length), words);
        else
            words.Add((0, part.Length));

        return CollectionsMarshal.AsSpan(words);
    }
}
