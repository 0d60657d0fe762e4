using System.Buffers.Binary;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.Normalization;

/// <summary>The rules of normalization that SentencePiece compiles: a double array (J. Aoe, 1989) as the library darts-clone writes it, whose keys are characters in UTF-8, and the texts that replace them.</summary>
internal sealed class CharacterMap
{
    /// <summary>The bytes that a rule may put in place of a character; Unicode's own compatibility forms have at most 33.</summary>
    public const int MaximumReplacement = 512;

    // A key is a character and its marks; a damaged array could go round in circles.
    private const int MaximumKey = 64;

    private readonly uint[] _units;
    private readonly byte[] _texts;

    /// <summary>Reads the rules.</summary>
    /// <param name="content">The content of <c>precompiled_charsmap</c>.</param>
    /// <exception cref="InvalidDataException">They are damaged.</exception>
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

    /// <summary>Finds a key that a text begins with.</summary>
    /// <param name="text">The text, of which whole characters are compared.</param>
    /// <param name="isShortest">Whether to take the shortest key, and not the longest.</param>
    /// <param name="length">The chars of the key; 0 where there is none.</param>
    /// <param name="replacement">What replaces it, in UTF-8.</param>
    public bool TryMatch(ReadOnlySpan<char> text, bool isShortest, out int length, out ReadOnlySpan<byte> replacement)
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
                if (!isKey || node >= _units.Length)
                    continue;

                (length, start) = (at, _units[node] & 0x7FFF_FFFF);
                goesOn = !isShortest;
            }
        }

        replacement = start < _texts.Length ? _texts.AsSpan((int)start) : [];
        int end = replacement.IndexOf((byte)0);
        replacement = end < 0 ? replacement : replacement[..end];
        return length > 0;
    }

    private static uint OffsetOf(uint unit) => unit >> 10 << (int)((unit & 0x200) >> 6);
}
