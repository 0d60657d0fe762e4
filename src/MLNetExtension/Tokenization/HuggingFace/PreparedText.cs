using System.Text;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>A text that is ready to be encoded: normalized, and split at its added tokens.</summary>
/// <param name="Text">The text that the parts' positions count in.</param>
/// <param name="IsNormalized">Whether it differs from the original text.</param>
/// <param name="Parts">The parts in order, without gaps.</param>
/// <param name="KeepsStart">Whether its first character is, or stands for, the first of the original text.</param>
internal sealed record PreparedText(string Text, bool IsNormalized, IReadOnlyList<TextPart> Parts, bool KeepsStart = true);

/// <summary>Normalizes texts and splits them at their added tokens, in the order that the file format prescribes.</summary>
/// <remarks>Tokens that are not normalized are found in the original text; what is between them is normalized, and then the other tokens are found in
/// it.</remarks>
internal sealed class TextPreparer(IReadOnlyCollection<AddedToken> tokens, TextNormalizer normalizer)
{
    private readonly AddedTokenFinder _literal = new([.. tokens.Where(token => !token.IsNormalized)]);
    private readonly AddedTokenFinder _normalized = new([.. tokens
        .Where(token => token.IsNormalized)
        .Select(token => token with { Content = normalizer.Normalize(token.Content) })]);

    public PreparedText Prepare(string text, bool considerNormalization)
    {
        var literalParts = new List<TextPart>();
        _literal.Split(text, 0, literalParts);
        var parts = new List<TextPart>(literalParts.Count);
        if (!considerNormalization || normalizer.IsNone)
        {
            foreach (TextPart part in literalParts)
                Add(text.AsSpan(part.Start, part.Length), part.Start, part.Id);

            return new PreparedText(text, false, parts);
        }

        bool keepsStart = !normalizer.StripsLeft || text.Length == 0 || !char.IsWhiteSpace(text[0]);
        var result = new StringBuilder();
        foreach (TextPart part in literalParts)
        {
            string piece = text.Substring(part.Start, part.Length);
            if (part.Id == TextPart.Plain)
                piece = normalizer.Normalize(piece);

            Add(piece, result.Length, part.Id);
            if (literalParts.Count == 1)
                return new PreparedText(piece, piece != text, parts, keepsStart);

            result.Append(piece);
        }

        string prepared = result.ToString();
        return new PreparedText(prepared, prepared != text, parts, keepsStart);

        void Add(ReadOnlySpan<char> piece, int start, int id)
        {
            if (id == TextPart.Plain)
                _normalized.Split(piece, start, parts);
            else
                parts.Add(new TextPart(start, piece.Length, id));
        }
    }
}
