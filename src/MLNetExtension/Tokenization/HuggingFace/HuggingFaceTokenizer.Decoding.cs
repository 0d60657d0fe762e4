using System.Buffers;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.HuggingFace;

internal sealed partial class HuggingFaceTokenizer
{
    /// <inheritdoc/>
    public int ByteCount(int id) => GetBytes(id).Length;

    /// <summary>Decodes ids to their text; special tokens give no characters.</summary>
    /// <param name="ids">Ids of this tokenizer.</param>
    /// <returns>The text.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="ids"/> is null.</exception>
    /// <exception cref="InvalidOperationException">An id is not one of this tokenizer's.</exception>
    public override string Decode(IEnumerable<int> ids) => Decode(ids, considerSpecialTokens: false);

    /// <summary>Decodes ids to their text.</summary>
    /// <param name="ids">Ids of this tokenizer.</param>
    /// <param name="considerSpecialTokens">Whether special tokens are written out.</param>
    /// <returns>The text.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="ids"/> is null.</exception>
    /// <exception cref="InvalidOperationException">An id is not one of this tokenizer's.</exception>
    public string Decode(IEnumerable<int> ids, bool considerSpecialTokens)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return TokenBytesDecoder.Decode(this, ids, considerSpecialTokens ? _specialTokens : null);
    }

    /// <summary>Decodes ids into a span, as far as tokens that end with a character fit whole; special tokens give no characters.</summary>
    /// <param name="ids">Ids of this tokenizer.</param>
    /// <param name="destination">Where the text goes.</param>
    /// <param name="idsConsumed">The ids whose characters count as written; decoding can go on with the id that follows them.</param>
    /// <param name="charsWritten">The chars written.</param>
    /// <returns>
    /// <see cref="OperationStatus.Done"/>; <see cref="OperationStatus.DestinationTooSmall"/>; <see cref="OperationStatus.NeedMoreData"/> where the
    /// last token ends inside a character that later ids may complete; <see cref="OperationStatus.InvalidData"/> where the next id is not one of
    /// this tokenizer's.
    /// </returns>
    /// <exception cref="ArgumentNullException"><paramref name="ids"/> is null.</exception>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        ArgumentNullException.ThrowIfNull(ids);
        idsConsumed = 0;
        charsWritten = 0;
        int seen = 0;
        int written = 0;
        var pending = new PendingBytes();
        foreach (int id in ids)
        {
            if (!_bytes.TryGetValue(id, out byte[]? bytes))
                return OperationStatus.InvalidData;

            if (bytes.Length == 0 && !TryWrite(ref pending, isFinal: true, destination, ref written))
                return OperationStatus.DestinationTooSmall;

            foreach (byte value in bytes)
            {
                pending.Add(value);
                if (!TryWrite(ref pending, isFinal: false, destination, ref written))
                    return OperationStatus.DestinationTooSmall;
            }

            seen++;
            if (pending.Count == 0)
                (idsConsumed, charsWritten) = (seen, written);
        }

        return pending.Count > 0 ? OperationStatus.NeedMoreData : OperationStatus.Done;
    }

    /// <inheritdoc/>
    public ReadOnlySpan<byte> GetBytes(int id) => _bytes.TryGetValue(id, out byte[]? bytes)
        ? bytes
        : throw new InvalidOperationException(
            $"Token id {id} cannot be decoded: the tokenizer has {_bytes.Count} tokens with ids from 0 to {VocabularySize - 1}, and this is none of them.");

    private static bool TryWrite(ref PendingBytes pending, bool isFinal, Span<char> destination, ref int written)
    {
        Span<char> chars = stackalloc char[2];
        while (pending.TryPeek(isFinal, chars, out int bytesRead, out int count))
        {
            if (!chars[..count].TryCopyTo(destination[written..]))
                return false;

            pending.Remove(bytesRead);
            written += count;
        }

        return true;
    }
}
