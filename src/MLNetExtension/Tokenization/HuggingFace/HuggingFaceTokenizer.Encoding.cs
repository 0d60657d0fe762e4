using System.Text;
using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tokenization.HuggingFace;

internal sealed partial class HuggingFaceTokenizer
{
    private const int IdsOfPart = 1 << 16;

    // How much text is encoded at first where only the first tokens are needed: most tokens have fewer characters.
    private const int FirstChars = 1024, FirstCharsPerToken = 8;

    /// <inheritdoc/>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is null.</exception>
    public IReadOnlyList<int> EncodeText(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return EncodeIds(_contentTokens.Prepare(text, considerNormalization: true), considerPreTokenization: true);
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeStart(string text, int maximumCount)
    {
        // Where no token goes past a space, what is behind one need not be looked at.
        for (long chars = FirstChars + (FirstCharsPerToken * (long)maximumCount); _isLetter is not null && chars < text.Length && FindCut(text, (int)chars, _isLetter) is var cut and > 0; chars *= 4)
        {
            List<int> ids = EncodeIds(_contentTokens.Prepare(text[..cut], considerNormalization: true), considerPreTokenization: true, maximumCount);
            if (ids.Count == maximumCount)
                return ids;
        }

        return EncodeIds(_contentTokens.Prepare(text, considerNormalization: true), considerPreTokenization: true, maximumCount);
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeBehind(string text, int maximumCount) =>
        EncodeIds(_contentTokens.Prepare(text, considerNormalization: true) with { KeepsStart = false }, considerPreTokenization: true, maximumCount);

    /// <inheritdoc/>
    public void EncodeParts(string text, Action<IReadOnlyList<int>> read)
    {
        List<int> ids = [];
        Split(_contentTokens.Prepare(text, considerNormalization: true), considerPreTokenization: true, (part, id) =>
        {
            if (id == TextPart.Plain)
                _words.Encode(part.Span, ids);
            else
                ids.Add(id);

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
        // A limit needs to know where characters end, and so do words that are not the text's.
        if (settings.MaxTokenCount < int.MaxValue || !_preTokenizer.KeepsText)
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
        bool keepsText = _preTokenizer.KeepsText || !settings.ConsiderPreTokenization;
        var words = new StringBuilder(); // where they are not the text's
        var tokens = new List<PlacedToken>();
        int start = 0;
        Split(prepared, settings.ConsiderPreTokenization, (part, id) =>
        {
            if (id == TextPart.Plain)
                _words.Encode(part.Span, start, tokens);
            else
                tokens.Add(new PlacedToken(id, start, start + part.Length));

            start += part.Length;
            if (!keepsText)
                words.Append(part.Span);

            // One token past the limit tells whether the limit falls inside a character.
            return tokens.Count <= settings.MaxTokenCount || !keepsText;
        });
        string result = keepsText ? prepared.Text : words.ToString();
        return (result, [.. tokens.Select(token => new EncodedToken(token.Id, ValueOf(token, result), token.Start..token.End))]);
    }

    // Of an added token, the characters that it was found as.
    private string ValueOf(PlacedToken token, string text) => _specialTokens.ContainsKey(token.Id) ? text[token.Start..token.End] : _texts[token.Id];

    private List<int> EncodeIds(PreparedText prepared, bool considerPreTokenization, int maximumCount = int.MaxValue)
    {
        var ids = new List<int>();
        Split(prepared, considerPreTokenization, (part, id) =>
        {
            if (id == TextPart.Plain)
                _words.Encode(part.Span, ids, maximumCount == int.MaxValue ? int.MaxValue : maximumCount - ids.Count);
            else
                ids.Add(id);

            return ids.Count < maximumCount;
        });
        if (ids.Count > maximumCount)
            ids.RemoveRange(maximumCount, ids.Count - maximumCount);

        return ids;
    }

    // The added tokens and, between them, the words, until the reader has enough.
    private void Split(PreparedText prepared, bool considerPreTokenization, Func<ReadOnlyMemory<char>, int, bool> read)
    {
        WordReader readWord = (word, _) => read(word, TextPart.Plain);
        foreach (TextPart part in prepared.Parts)
        {
            ReadOnlyMemory<char> text = prepared.Text.AsMemory(part.Start, part.Length);
            bool goesOn = part.Id == TextPart.Plain && considerPreTokenization ? _preTokenizer.Split(text, part.Start == 0 && prepared.KeepsStart, readWord) : read(text, part.Id);
            if (!goesOn)
                return;
        }
    }

    // Finds where the tokens up to a space, behind a letter, depend on nothing behind it; null where they may.
    private Func<char, bool>? FindLetters()
    {
        string probe = _definition.Normalizer.Normalize("x x");
        int behind = probe.IndexOf('x', StringComparison.Ordinal) + 1;
        bool keepsTokens = _definition.AddedTokens.All(token => token.IsSpecial || !token.Content.AsSpan(1).ContainsAny(" \u2581"));
        if (_definition.IsByteLevel || !_definition.Normalizer.IsLocal || behind == 0 || behind == probe.Length || !keepsTokens || !_definition.Steps.All(step => step.IsLocal))
            return null;

        // Either the steps split there, or no token goes past it.
        if (_preTokenizer.PreTokenize(probe[(behind - 1)..]).Count() > 1)
            return char.IsAsciiLetter;

        TokenSpaces spaces = _definition.Model is BytePairModel pairs ? TokenSpaces.Of(pairs) : TokenSpaces.Of((UnigramModel)_definition.Model);
        char space = probe[behind] == ' ' && _definition.Steps.OfType<MetaspaceStep>().FirstOrDefault() is { } metaspace ? metaspace.Replacement : probe[behind];
        return letter => char.IsAsciiLetter(letter) && spaces.IsBetween(letter, space) && spaces.IsBetween(char.ToLowerInvariant(letter), space);
    }

    private static int FindCut(string text, int start, Func<char, bool> isLetter)
    {
        for (int at = start; (at = text.IndexOf(' ', at)) > 0; at++)
        {
            if (isLetter(text[at - 1]))
                return at;
        }

        return 0;
    }
}
