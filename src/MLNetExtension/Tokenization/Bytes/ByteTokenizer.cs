using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tokenization.Bytes;

/// <summary>A tokenizer whose every token stands for a fixed sequence of bytes. Decoding and limits are here; a derived class says how text becomes tokens.</summary>
/// <remarks>Bytes that are not valid, or a character that a special token or the end leaves incomplete, decode to U+FFFD; special tokens decode to nothing.</remarks>
internal abstract class ByteTokenizer : Tokenizer
{
    /// <summary>One more than the largest id.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The UTF-8 bytes that a token spells; 0 for special tokens.</summary>
    /// <exception cref="InvalidOperationException">There is no such token.</exception>
    public int ByteCount(int id) => GetBytes(id).Length;

    /// <summary>Finds the bytes of a token, none for a special token.</summary>
    /// <returns>False where there is no such token.</returns>
    public abstract bool TryGetBytes(int id, out ReadOnlySpan<byte> bytes);

    /// <summary>Gets the bytes of a token, none for a special token.</summary>
    /// <exception cref="InvalidOperationException">There is no such token.</exception>
    public ReadOnlySpan<byte> GetBytes(int id) => TryGetBytes(id, out ReadOnlySpan<byte> bytes) ? bytes
        : throw new InvalidOperationException($"Token id {id} cannot be decoded: it is none of this tokenizer's ids, which are from 0 to {VocabularySize - 1}.");

    /// <summary>Decodes ids to their text; special tokens give no characters.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="ids"/> is null.</exception>
    /// <exception cref="InvalidOperationException">An id is not one of this tokenizer's.</exception>
    public override string Decode(IEnumerable<int> ids) => Decode(ids, specialTokens: null);

    /// <summary>Decodes ids into a span, as far as whole tokens and characters fit.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="destination">Where the text goes.</param>
    /// <param name="idsConsumed">The ids whose characters count as written; decoding can go on with the id that follows them.</param>
    /// <param name="charsWritten">The chars written.</param>
    /// <returns>
    /// <see cref="OperationStatus.Done"/>; <see cref="OperationStatus.DestinationTooSmall"/>; <see cref="OperationStatus.NeedMoreData"/> where the last bytes begin a character that later ids
    /// may complete; <see cref="OperationStatus.InvalidData"/> where the next id is not one of this tokenizer's.
    /// </returns>
    /// <exception cref="ArgumentNullException"><paramref name="ids"/> is null.</exception>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var writer = new SpanDecoder(destination);
        OperationStatus status = writer.Decode(this, ids);
        (idsConsumed, charsWritten) = (writer.IdsConsumed, writer.CharsWritten);
        return status;
    }

    /// <summary>Decodes ids to their text.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="specialTokens">The text of special tokens by their ids; null to write none.</param>
    protected string Decode(IEnumerable<int> ids, IReadOnlyDictionary<int, string>? specialTokens)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var bytes = new List<byte>(ids.TryGetNonEnumeratedCount(out int count) ? count : 0);
        var text = new ArrayBufferWriter<char>();
        foreach (int id in ids)
        {
            ReadOnlySpan<byte> tokenBytes = GetBytes(id);
            bytes.AddRange(tokenBytes);
            if (!tokenBytes.IsEmpty)
                continue;

            Wtf8.Decode(CollectionsMarshal.AsSpan(bytes), text);
            bytes.Clear();
            text.Write(specialTokens?.GetValueOrDefault(id));
        }

        Wtf8.Decode(CollectionsMarshal.AsSpan(bytes), text);
        return text.WrittenSpan.ToString();
    }

    /// <summary>Encodes a text to tokens, at least one more than the limit where there are as many. The offsets count in the normalized text, and of a token inside a character they are the character's.</summary>
    /// <returns>The normalized text and the tokens.</returns>
    protected abstract (string Text, List<EncodedToken> Tokens) Tokenize(string text, EncodeSettings settings);

    /// <inheritdoc/>
    /// <remarks>Where a maximum number of tokens is given, characters stay whole: fewer tokens than asked for may come back.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The maximum number of tokens is not positive.</exception>
    protected sealed override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        if (settings.MaxTokenCount <= 0)
            throw new ArgumentOutOfRangeException(nameof(settings), settings.MaxTokenCount, "The maximum number of tokens must be 1 or more.");

        text ??= textSpan.ToString();
        (string normalized, List<EncodedToken> tokens) = Tokenize(text, settings);
        int count = Math.Min(tokens.Count, settings.MaxTokenCount);
        while (IsInsideCharacter(tokens, count))
            count--;

        int consumed = count == tokens.Count ? normalized.Length : tokens[count].Offset.Start.Value;
        tokens.RemoveRange(count, tokens.Count - count);
        return new() { Tokens = tokens, CharsConsumed = consumed, NormalizedText = normalized == text ? null : normalized };
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The maximum number of tokens is not positive.</exception>
    protected sealed override int GetIndexByTokenCount(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings, bool fromEnd, out string? normalizedText, out int tokenCount)
    {
        int maximum = settings.MaxTokenCount;
        if (fromEnd && maximum > 0)
            settings.MaxTokenCount = int.MaxValue;

        EncodeResults<EncodedToken> results = EncodeToTokens(text, textSpan, settings);
        IReadOnlyList<EncodedToken> tokens = results.Tokens;
        normalizedText = results.NormalizedText;
        int first = fromEnd ? Math.Max(0, tokens.Count - maximum) : 0;
        while (IsInsideCharacter(tokens, first))
            first++;

        tokenCount = tokens.Count - first;
        return !fromEnd || tokenCount == 0 ? results.CharsConsumed : tokens[first].Offset.Start.Value;
    }

    private static bool IsInsideCharacter(IReadOnlyList<EncodedToken> tokens, int index) =>
        index > 0 && index < tokens.Count && tokens[index].Offset.Start.Value < tokens[index - 1].Offset.End.Value;
}
