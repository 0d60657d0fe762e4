using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization.Bytes;

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
            if (chars == 0 && _map is not null && _map.TryMatch(rest, out chars, out ReadOnlySpan<byte> bytes))
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

    /// <summary>The rules of normalization: a double array (J. Aoe, 1989) as the library darts-clone writes it, whose keys are characters in UTF-8, and the texts that replace them.</summary>
    private sealed class CharacterMap
    {
        /// <summary>The bytes that a rule may put in place of a character; Unicode's own compatibility forms have at most 33.</summary>
        public const int MaximumReplacement = 512;

        // A key is a character and its marks; a damaged array could go round in circles.
        private const int MaximumKey = 64;

        private readonly uint[] _units;
        private readonly byte[] _texts;

        public CharacterMap(ReadOnlySpan<byte> content)
        {
            uint size = content.Length < sizeof(uint) ? uint.MaxValue : BinaryPrimitives.ReadUInt32LittleEndian(content);
            if (size > content.Length - sizeof(uint) || size < sizeof(uint))
                throw new InvalidDataException("it has damaged rules of normalization (precompiled_charsmap).");

            _units = new uint[size / sizeof(uint)];
            for (int i = 0; i < _units.Length; i++)
                _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(content[(sizeof(uint) * (i + 1))..]);

            _texts = content[(sizeof(uint) + (int)size)..].ToArray();
            for (ReadOnlySpan<byte> rest = _texts; !rest.IsEmpty;)
            {
                int end = rest.IndexOf((byte)0) is var found and >= 0 ? found : rest.Length;
                if (end > MaximumReplacement)
                    throw new InvalidDataException($"it has a rule of normalization (precompiled_charsmap) that puts {end} bytes in place of a character, expected at most {MaximumReplacement}.");

                rest = rest[Math.Min(end + 1, rest.Length)..];
            }
        }

        /// <summary>Finds the longest key that a text begins with.</summary>
        /// <param name="text">The text, of which whole characters are compared.</param>
        /// <param name="length">The chars of the key; 0 where there is none.</param>
        /// <param name="replacement">What replaces it.</param>
        public bool TryMatch(ReadOnlySpan<char> text, out int length, out ReadOnlySpan<byte> replacement)
        {
            length = 0;
            uint start = 0, node = OffsetOf(_units[0]);
            Span<byte> bytes = stackalloc byte[4];
            bool goesOn = true;
            for (int at = 0; goesOn && at < Math.Min(text.Length, MaximumKey);)
            {
                int chars = Wtf8.CountChars(text, at);
                int count = Wtf8.Encode(text.Slice(at, chars), bytes, out _);
                at += chars;
                for (int i = 0; i < count && goesOn; i++)
                {
                    node ^= bytes[i];
                    goesOn = node < _units.Length && (_units[node] & 0x8000_00FF) == bytes[i];
                    if (!goesOn)
                        break;

                    bool isKey = i == count - 1 && (_units[node] >> 8 & 1) == 1;
                    node ^= OffsetOf(_units[node]);
                    if (isKey && node < _units.Length)
                        (length, start) = (at, _units[node] & 0x7FFF_FFFF);
                }
            }

            replacement = start < _texts.Length ? _texts.AsSpan((int)start) : [];
            int end = replacement.IndexOf((byte)0);
            replacement = end < 0 ? replacement : replacement[..end];
            return length > 0;
        }

        private static uint OffsetOf(uint unit) => unit >> 10 << (int)((unit & 0x200) >> 6);
    }
}
