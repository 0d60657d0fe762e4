using System.Buffers;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tokenization.Bytes;

/// <summary>A tokenizer whose tokens are the 256 bytes and one end-of-text token. It needs no vocabulary file and is lossless for every string.</summary>
/// <remarks>
/// <para>A text is encoded in UTF-8, one token a byte, and the byte's value is the token's id. A lone surrogate, which UTF-8 cannot encode, becomes the
/// three bytes of WTF-8, so <c>Decode(EncodeToIds(text))</c> is <c>text</c> for every .NET string.</para>
/// <para>Encoding never makes the end-of-text token: the characters <c>&lt;|endoftext|&gt;</c> in a text are thirteen bytes like any others, so a text cannot
/// forge the end of an example. The code that builds examples adds <see cref="EndOfTextId"/>. Decoding it gives no characters.</para>
/// <para>It has no state, and any number of threads may use one.</para>
/// </remarks>
internal sealed class ByteLevelTokenizer : ByteTokenizer, ILanguageTokenizer
{
    /// <summary>The id of the end-of-text token.</summary>
    public const int EndOfTextId = 256;

    /// <summary>The usual way to write the end-of-text token, for people to read. The tokenizer does not look for it in texts.</summary>
    public const string EndOfText = "<|endoftext|>";

    private const int CharsOfPart = 1 << 16;

    private static readonly byte[] AllBytes = [.. Enumerable.Range(0, EndOfTextId).Select(value => (byte)value)];

    // What others read: byte-level byte pairs without a merge.
    private static readonly Lazy<IReadOnlyList<TokenizerFile>> HuggingFaceFiles = new(() =>
    [
        TokenizerJsonWriter.Write(
            new BytePairModel { Vocabulary = AllBytes.ToDictionary(value => ByteAlphabet.GetChar(value).ToString(), value => (int)value), Merges = [] },
            [new AddedToken(EndOfTextId, EndOfText)]),
        TokenizerConfiguration.Write(EndOfText),
    ]);

    /// <summary>The number of ids: 256 bytes and end-of-text.</summary>
    public override int VocabularySize => EndOfTextId + 1;

    int ILanguageTokenizer.EndOfTextId => EndOfTextId;

    /// <summary>Null: texts begin with no token of their own.</summary>
    public int? BeginningOfTextId => null;

    /// <summary>A <c>tokenizer.json</c> that gives the same ids, and its configuration.</summary>
    public IReadOnlyList<TokenizerFile> Files => HuggingFaceFiles.Value;

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeText(string text) => EncodeToIds(text);

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeStart(string text, int maximumCount)
    {
        // A char is at least one byte; one more, since the last may be half of a pair.
        IReadOnlyList<int> ids = EncodeToIds(text.AsSpan(0, (int)Math.Min(text.Length, maximumCount + 1L)));
        return ids.Count <= maximumCount ? ids : [.. ids.Take(maximumCount)];
    }

    /// <inheritdoc/>
    public void EncodeParts(string text, Action<IReadOnlyList<int>> read)
    {
        for (int start = 0; start < text.Length;)
        {
            int end = Math.Min(text.Length, start + CharsOfPart);
            // Both halves of a pair are one character.
            if (end < text.Length && char.IsHighSurrogate(text[end - 1]))
                end++;
            read(EncodeToIds(text.AsSpan(start, end - start)));
            start = end;
        }
    }

    /// <inheritdoc/>
    public override bool TryGetBytes(int id, out ReadOnlySpan<byte> bytes)
    {
        bytes = (uint)id < EndOfTextId ? AllBytes.AsSpan(id, 1) : [];
        return (uint)id <= EndOfTextId;
    }

    /// <summary>Encodes a text to ids from 0 to 255.</summary>
    /// <inheritdoc/>
    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        // A limit needs to know where characters end.
        if (settings.MaxTokenCount < int.MaxValue)
            return base.EncodeToIds(text, textSpan, settings);

        ReadOnlySpan<char> source = text ?? textSpan;
        byte[] bytes = ArrayPool<byte>.Shared.Rent(Wtf8.CountBytes(source));
        var ids = new int[Wtf8.Encode(source, bytes, out _)];
        for (int i = 0; i < ids.Length; i++)
            ids[i] = bytes[i];

        ArrayPool<byte>.Shared.Return(bytes);
        return new EncodeResults<int> { Tokens = ids, CharsConsumed = source.Length };
    }

    /// <summary>Encodes a text to tokens. Every byte of a character has the character's range of chars as its offset, and the character itself as its value.</summary>
    protected override (string Text, List<EncodedToken> Tokens) Tokenize(string text, EncodeSettings settings)
    {
        var tokens = new List<EncodedToken>(text.Length);
        Span<byte> bytes = stackalloc byte[4];
        for (int start = 0; start < text.Length && tokens.Count <= settings.MaxTokenCount;)
        {
            int end = start + Wtf8.CountChars(text, start);
            string value = text[start..end];
            foreach (byte id in bytes[..Wtf8.Encode(value, bytes, out _)])
                tokens.Add(new EncodedToken(id, value, start..end));

            start = end;
        }

        return (text, tokens);
    }
}
