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
    /// <remarks>Where a maximum number of tokens is given, characters stay whole: fewer tokens than asked for may come back.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The maximum number of tokens is not positive.</exception>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        if (settings.MaxTokenCount <= 0)
            throw new ArgumentOutOfRangeException(nameof(settings), settings.MaxTokenCount, "The maximum number of tokens must be 1 or more.");

        PreparedText prepared = _everyToken.Prepare(text ?? textSpan.ToString(), settings.ConsiderNormalization);
        List<EncodedToken> tokens = EncodeTokens(prepared, settings);
        int count = Math.Min(tokens.Count, settings.MaxTokenCount);
        while (count > 0 && count < tokens.Count && tokens[count].Offset.Start.Value < tokens[count - 1].Offset.End.Value)
            count--;

        int consumed = count == tokens.Count ? prepared.Text.Length : tokens[count].Offset.Start.Value;
        tokens.RemoveRange(count, tokens.Count - count);
        return new EncodeResults<EncodedToken> { Tokens = tokens, CharsConsumed = consumed, NormalizedText = prepared.IsNormalized ? prepared.Text : null };
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The maximum number of tokens is not positive.</exception>
    protected override int GetIndexByTokenCount(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings, bool fromEnd, out string? normalizedText, out int tokenCount)
    {
        int maximum = settings.MaxTokenCount;
        if (fromEnd && maximum > 0)
            settings.MaxTokenCount = int.MaxValue;

        EncodeResults<EncodedToken> results = EncodeToTokens(text, textSpan, settings);
        normalizedText = results.NormalizedText;
        if (!fromEnd)
        {
            tokenCount = results.Tokens.Count;
            return results.CharsConsumed;
        }

        IReadOnlyList<EncodedToken> tokens = results.Tokens;
        int first = Math.Max(0, tokens.Count - maximum);
        while (first > 0 && first < tokens.Count && tokens[first].Offset.Start.Value < tokens[first - 1].Offset.End.Value)
            first++;

        tokenCount = tokens.Count - first;
        return tokenCount == 0 ? results.CharsConsumed : tokens[first].Offset.Start.Value;
    }

    private List<EncodedToken> EncodeTokens(PreparedText prepared, EncodeSettings settings)
    {
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

        return tokens;
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
