using System.Text;
using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>A text as it is encoded: normalized, and cut at its added tokens.</summary>
/// <param name="Text">The text that the parts' positions count in.</param>
/// <param name="IsNormalized">Whether that is another text than the one that came.</param>
/// <param name="Parts">The parts in order, without gaps.</param>
internal sealed record PreparedText(string Text, bool IsNormalized, IReadOnlyList<TextPart> Parts);

/// <summary>Cuts and normalizes texts, in the order that the file format prescribes.</summary>
/// <remarks>Tokens that stand for themselves are taken out of the text as it came; what is left is normalized, and then the other tokens are looked
/// for.</remarks>
internal sealed class TextPreparation(IReadOnlyCollection<AddedToken> tokens, Normalizer? normalizer)
{
    private readonly AddedTokenFinder _literal = new(tokens.Where(token => !token.IsNormalized));
    private readonly AddedTokenFinder _normalized = new(tokens
        .Where(token => token.IsNormalized)
        .Select(token => normalizer is null ? token : token with { Content = normalizer.Normalize(token.Content) }));

    public PreparedText Prepare(string text, bool considerNormalization)
    {
        var cut = new List<TextPart>();
        _literal.Cut(text, 0, cut);
        var parts = new List<TextPart>(cut.Count);
        Normalizer? active = considerNormalization ? normalizer : null;
        var result = new StringBuilder(active is null ? 0 : text.Length);
        foreach (TextPart part in cut)
        {
            string piece = text.Substring(part.Start, part.Length);
            if (active is not null && part.Id == TextPart.Plain)
                piece = active.Normalize(piece);

            int start = active is null ? part.Start : result.Length;
            if (part.Id == TextPart.Plain)
                _normalized.Cut(piece, start, parts);
            else
                parts.Add(part with { Start = start });

            if (active is not null)
                result.Append(piece);
        }

        string prepared = active is null ? text : result.ToString();
        return new PreparedText(prepared, prepared != text, parts);
    }
}
