using System.Buffers;
using System.Runtime.InteropServices;

namespace MLNetExtension.Tokenization.Bytes;

/// <summary>Decodes all ids of a text at once, for tokenizers whose tokens are bytes.</summary>
internal static class TokenBytesDecoder
{
    /// <summary>Decodes ids to their text.</summary>
    /// <param name="tokenizer">The tokenizer of the ids.</param>
    /// <param name="ids">The ids.</param>
    /// <param name="specialTokens">The text of each special token by its id; null to write none.</param>
    /// <returns>The text; invalid bytes give U+FFFD.</returns>
    /// <exception cref="InvalidOperationException">An id is not one of the tokenizer's.</exception>
    public static string Decode(IByteTokenizer tokenizer, IEnumerable<int> ids, IReadOnlyDictionary<int, string>? specialTokens = null)
    {
        var bytes = new List<byte>(ids.TryGetNonEnumeratedCount(out int count) ? count : 0);
        var text = new ArrayBufferWriter<char>();
        foreach (int id in ids)
        {
            ReadOnlySpan<byte> tokenBytes = tokenizer.GetBytes(id);
            if (!tokenBytes.IsEmpty)
            {
                bytes.AddRange(tokenBytes);
                continue;
            }

            Wtf8.Decode(CollectionsMarshal.AsSpan(bytes), text);
            bytes.Clear();
            if (specialTokens is not null)
                text.Write(specialTokens[id]);
        }

        Wtf8.Decode(CollectionsMarshal.AsSpan(bytes), text);
        return text.WrittenSpan.ToString();
    }
}
