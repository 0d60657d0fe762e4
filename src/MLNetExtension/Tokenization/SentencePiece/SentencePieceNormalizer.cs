using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.Normalization;

namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>Brings text into the form that a SentencePiece model splits: rules of the model's own, a space in front, extra spaces dropped, U+2581 for spaces.</summary>
internal sealed class SentencePieceNormalizer(Normalization rules, PieceTable pieces) : Normalizer
{
    private readonly CharacterMap? _map = rules.CharacterMap.IsEmpty ? null : new CharacterMap(rules.CharacterMap.Span);

    /// <inheritdoc/>
    public override string Normalize(string original)
    {
        ArgumentNullException.ThrowIfNull(original);
        return NormalizeStart(original, int.MaxValue, out _);
    }

    /// <inheritdoc/>
    public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());

    /// <summary>Normalizes the beginning of a text.</summary>
    /// <param name="original">The text.</param>
    /// <param name="maximumChars">About how many chars are needed; a few more or fewer may come.</param>
    /// <param name="isWhole">Whether that was the whole text.</param>
    /// <returns>What the normalized text begins with.</returns>
    public string NormalizeStart(string original, int maximumChars, out bool isWhole)
    {
        isWhole = true;
        if (original.Length == 0)
            return "";

        string text = Replace(original, maximumChars, out isWhole);
        if (rules.AddsSpace)
            text = " " + text;

        char space = rules.EscapesSpaces ? SentencePieceLanguageTokenizer.Space : ' ';
        text = text.Replace(' ', space);
        // Of a beginning too: what follows may be spaces, up to the end.
        return rules.RemovesExtraSpaces ? text.TrimEnd(space) : text;
    }

    private string Replace(string original, int maximumChars, out bool isWhole)
    {
        if (_map is null && !rules.RemovesExtraSpaces)
        {
            isWhole = original.Length <= maximumChars;
            return isWhole ? original : original[..(maximumChars - (char.IsHighSurrogate(original[maximumChars - 1]) ? 1 : 0))];
        }

        var result = new ArrayBufferWriter<char>();
        Span<char> buffer = stackalloc char[CharacterMap.MaximumReplacement];
        bool dropsSpace = rules.RemovesExtraSpaces;
        int start = 0;
        while (start < original.Length && result.WrittenCount < maximumChars)
        {
            ReadOnlySpan<char> rest = original.AsSpan(start);
            scoped ReadOnlySpan<char> replacement;
            int chars = pieces.MatchUserDefined(rest);
            if (chars == 0 && _map is not null && _map.TryMatch(rest, isShortest: false, out chars, out ReadOnlySpan<byte> bytes))
            {
                replacement = buffer[..Encoding.UTF8.GetChars(bytes, buffer)];
            }
            else
            {
                chars = chars > 0 ? chars : Wtf8.CountChars(rest, 0);
                replacement = rest[..chars];
            }

            start += chars;
            if (dropsSpace)
                replacement = replacement.TrimStart(' ');

            result.Write(replacement);
            if (!replacement.IsEmpty)
                dropsSpace = rules.RemovesExtraSpaces && replacement[^1] == ' ';
        }

        isWhole = start == original.Length;
        return result.WrittenSpan.ToString();
    }
}
