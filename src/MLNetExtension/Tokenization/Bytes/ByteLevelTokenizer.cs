using System.Buffers;
using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tokenization.Bytes;

/// <summary>
/// A tokenizer whose tokens are the 256 bytes and one end-of-text token. It needs no vocabulary file and is lossless for every string.
/// </summary>
/// <remarks>
/// <para>A text is encoded in UTF-8, one token a byte, and the byte's value is the token's id. A lone surrogate, which UTF-8 cannot encode, becomes the
/// three bytes of WTF-8, so <c>Decode(EncodeToIds(text))</c> is <c>text</c> for every .NET string.</para>
/// <para>Encoding never makes the end-of-text token: the characters <c>&lt;|endoftext|&gt;</c> in a text are thirteen bytes like any others, so a text cannot
/// forge the end of an example. The code that builds examples adds <see cref="EndOfTextId"/>. Decoding it gives no characters.</para>
/// <para>Decoding accepts every sequence of ids from 0 to 256. Bytes that are not valid give U+FFFD, as UTF-8 decoding in .NET does; so does a
/// character that the end, or an end-of-text token, cuts off.</para>
/// <para>Where a maximum number of tokens is given, characters stay whole: up to three tokens fewer than asked for may come back.</para>
/// <para>It has no state, and any number of threads may use one.</para>
/// </remarks>
internal sealed class ByteLevelTokenizer : Tokenizer, ILanguageTokenizer, IByteTokenizer
{
    /// <summary>The id of the end-of-text token.</summary>
    public const int EndOfTextId = 256;

    /// <summary>The usual way to write the end-of-text token, for people to read. The tokenizer does not look for it in texts.</summary>
    public const string EndOfText = "<|endoftext|>";

    private static readonly byte[] AllBytes = [.. Enumerable.Range(0, EndOfTextId).Select(value => (byte)value)];
    private static readonly string[] Ascii = [.. Enumerable.Range(0, 0x80).Select(code => ((char)code).ToString())];

    /// <summary>The number of ids: 256 bytes and end-of-text.</summary>
    public int VocabularySize => EndOfTextId + 1;

    int ILanguageTokenizer.EndOfTextId => EndOfTextId;

    /// <summary>Null: texts begin with no token of their own.</summary>
    public int? BeginningOfTextId => null;

    /// <summary>None: the tokenizer has no vocabulary file.</summary>
    public IReadOnlyList<TokenizerFile> Files => [];

    /// <inheritdoc/>
    public IReadOnlyList<int> EncodeText(string text) => EncodeToIds(text);

    /// <inheritdoc/>
    public int ByteCount(int id) => GetBytes(id).Length;

    /// <summary>Encodes a text to ids from 0 to 255.</summary>
    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The maximum number of tokens is not positive.</exception>
    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        ReadOnlySpan<char> source = text ?? textSpan;
        int capacity = Math.Min(Wtf8.CountBytes(source), GetMaximum(settings));
        byte[] bytes = ArrayPool<byte>.Shared.Rent(capacity);
        var ids = new int[Wtf8.Encode(source, bytes.AsSpan(0, capacity), out int charsConsumed)];
        for (int i = 0; i < ids.Length; i++)
            ids[i] = bytes[i];

        ArrayPool<byte>.Shared.Return(bytes);
        return new EncodeResults<int> { Tokens = ids, CharsConsumed = charsConsumed };
    }

    /// <summary>
    /// Encodes a text to tokens. Every byte of a character has the character's range of chars as its offset, and the character itself as its value.
    /// </summary>
    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The maximum number of tokens is not positive.</exception>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        ReadOnlySpan<char> source = text ?? textSpan;
        var tokens = new EncodedToken[CountTokensFromStart(source, GetMaximum(settings), out int charsConsumed)];
        Span<byte> bytes = stackalloc byte[4];
        int count = 0;
        for (int start = 0; start < charsConsumed;)
        {
            int end = start + Wtf8.CountChars(source, start);
            string value = source[start] < Ascii.Length ? Ascii[source[start]] : source[start..end].ToString();
            foreach (byte id in bytes[..Wtf8.Encode(source[start..end], bytes, out _)])
                tokens[count++] = new EncodedToken(id, value, start..end);

            start = end;
        }

        return new EncodeResults<EncodedToken> { Tokens = tokens, CharsConsumed = charsConsumed };
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The maximum number of tokens is not positive.</exception>
    protected override int CountTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        CountTokensFromStart(text ?? textSpan, GetMaximum(settings), out _);

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The maximum number of tokens is not positive.</exception>
    protected override int GetIndexByTokenCount(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings, bool fromEnd, out string? normalizedText, out int tokenCount)
    {
        normalizedText = null;
        ReadOnlySpan<char> source = text ?? textSpan;
        int maximum = GetMaximum(settings);
        if (!fromEnd)
        {
            tokenCount = CountTokensFromStart(source, maximum, out int charsConsumed);
            return charsConsumed;
        }

        tokenCount = 0;
        int index = source.Length;
        while (index > 0)
        {
            int chars = index > 1 ? Wtf8.CountChars(source[..index], index - 2) : 1;
            int bytes = Wtf8.CountBytes(source[index - chars], chars);
            if (bytes > maximum - tokenCount)
                break;

            tokenCount += bytes;
            index -= chars;
        }

        return index;
    }

    /// <summary>Decodes ids to their text.</summary>
    /// <param name="ids">Ids from 0 to 256.</param>
    /// <returns>The text. End-of-text tokens give no characters, and invalid or cut-off bytes give U+FFFD.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="ids"/> is null.</exception>
    /// <exception cref="InvalidOperationException">An id is not one of this tokenizer's.</exception>
    public override string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return TokenBytesDecoder.Decode(this, ids);
    }

    /// <summary>Decodes ids into a span, as far as whole characters fit.</summary>
    /// <param name="ids">Ids from 0 to 256.</param>
    /// <param name="destination">Where the text goes.</param>
    /// <param name="idsConsumed">The ids whose characters have been written; decoding can go on with the id that follows them.</param>
    /// <param name="charsWritten">The chars written.</param>
    /// <returns>
    /// <see cref="OperationStatus.Done"/>; <see cref="OperationStatus.DestinationTooSmall"/>; <see cref="OperationStatus.NeedMoreData"/> where the last
    /// bytes begin a character that later ids may complete; <see cref="OperationStatus.InvalidData"/> where the next id is not from 0 to 256.
    /// </returns>
    /// <exception cref="ArgumentNullException"><paramref name="ids"/> is null.</exception>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        ArgumentNullException.ThrowIfNull(ids);
        idsConsumed = 0;
        charsWritten = 0;
        var pending = new PendingBytes();
        Span<char> chars = stackalloc char[2];
        foreach (int id in ids)
        {
            bool isByte = (uint)id < EndOfTextId;
            if (isByte)
                pending.Add((byte)id);

            while (pending.TryPeek(isFinal: !isByte, chars, out int bytesRead, out int count))
            {
                if (!chars[..count].TryCopyTo(destination[charsWritten..]))
                    return OperationStatus.DestinationTooSmall;

                pending.Remove(bytesRead);
                idsConsumed += bytesRead;
                charsWritten += count;
            }

            if (id == EndOfTextId)
                idsConsumed++;
            else if (!isByte)
                return OperationStatus.InvalidData;
        }

        return pending.Count > 0 ? OperationStatus.NeedMoreData : OperationStatus.Done;
    }

    /// <inheritdoc/>
    public ReadOnlySpan<byte> GetBytes(int id) => (uint)id switch
    {
        < EndOfTextId => AllBytes.AsSpan(id, 1),
        EndOfTextId => [],
        _ => throw new InvalidOperationException($"Token id {id} cannot be decoded: a byte-level tokenizer has the ids 0 to {EndOfTextId}."),
    };

    private static int GetMaximum(EncodeSettings settings) => settings.MaxTokenCount > 0
        ? settings.MaxTokenCount
        : throw new ArgumentOutOfRangeException(nameof(settings), settings.MaxTokenCount, "The maximum number of tokens must be 1 or more.");

    private static int CountTokensFromStart(ReadOnlySpan<char> text, int maximum, out int charsConsumed)
    {
        charsConsumed = text.Length;
        int all = Wtf8.CountBytes(text);
        if (all <= maximum)
            return all;

        charsConsumed = 0;
        int tokens = 0;
        while (true)
        {
            int chars = Wtf8.CountChars(text, charsConsumed);
            int bytes = Wtf8.CountBytes(text[charsConsumed], chars);
            if (bytes > maximum - tokens)
                return tokens;

            tokens += bytes;
            charsConsumed += chars;
        }
    }
}
