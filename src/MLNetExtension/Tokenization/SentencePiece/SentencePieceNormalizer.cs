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
        if (original.Length == 0)
            return "";

        string text = _map is null && !rules.RemovesExtraSpaces ? original : Replace(original);
        if (rules.AddsSpace)
            text = " " + text;

        char space = rules.EscapesSpaces ? SentencePieceLanguageTokenizer.Space : ' ';
        text = text.Replace(' ', space);
        return rules.RemovesExtraSpaces ? text.TrimEnd(space) : text;
    }

    /// <inheritdoc/>
    public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());

    private string Replace(string original)
    {
        byte[] bytes = new byte[Wtf8.CountBytes(original)];
        Wtf8.Encode(original, bytes, out _);
        var result = new ArrayBufferWriter<byte>(bytes.Length);
        bool dropsSpace = rules.RemovesExtraSpaces;
        int at = 0; // in bytes
        for (int start = 0; start < original.Length;)
        {
            // A rule may end inside of what .NET counts as one char of two, never inside a character.
            int chars = pieces.MatchUserDefined(original.AsSpan(start));
            bool isUserDefined = chars > 0;
            ReadOnlySpan<byte> replacement;
            int length;
            if (isUserDefined || _map is null || !_map.TryMatch(bytes.AsSpan(at), out length, out replacement))
            {
                chars = isUserDefined ? chars : Wtf8.CountChars(original, start);
                length = Wtf8.CountBytes(original.AsSpan(start, chars));
                replacement = bytes.AsSpan(at, length);
            }
            else
            {
                chars = Encoding.UTF8.GetCharCount(bytes.AsSpan(at, length));
            }

            (start, at) = (start + chars, at + length);
            if (dropsSpace)
                replacement = replacement.TrimStart((byte)' ');

            result.Write(replacement);
            if (!replacement.IsEmpty)
                dropsSpace = rules.RemovesExtraSpaces && replacement[^1] == ' ';
        }

        var text = new ArrayBufferWriter<char>();
        Wtf8.Decode(result.WrittenSpan, text);
        return text.WrittenSpan.ToString();
    }

    /// <summary>The rules of normalization: a double array (J. Aoe, 1989) as the library darts-clone writes it, whose keys are characters in UTF-8, and the texts that replace them.</summary>
    private sealed class CharacterMap
    {
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
        }

        /// <summary>Finds the longest key that a text begins with.</summary>
        public bool TryMatch(ReadOnlySpan<byte> text, out int length, out ReadOnlySpan<byte> replacement)
        {
            length = 0;
            uint start = 0, node = OffsetOf(_units[0]);
            for (int i = 0; i < text.Length; i++)
            {
                node ^= text[i];
                if (node >= _units.Length || (_units[node] & 0x8000_00FF) != text[i])
                    break;

                bool isKey = (_units[node] >> 8 & 1) == 1;
                node ^= OffsetOf(_units[node]);
                if (isKey && node < _units.Length)
                    (length, start) = (i + 1, _units[node] & 0x7FFF_FFFF);
            }

            replacement = start < _texts.Length ? _texts.AsSpan((int)start) : [];
            int end = replacement.IndexOf((byte)0);
            replacement = end < 0 ? replacement : replacement[..end];
            return length > 0;
        }

        private static uint OffsetOf(uint unit) => unit >> 10 << (int)((unit & 0x200) >> 6);
    }
}
