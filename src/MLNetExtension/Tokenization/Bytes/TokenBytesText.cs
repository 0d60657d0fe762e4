using System.Buffers;
using System.Runtime.InteropServices;

namespace MLNetExtension.Tokenization.Bytes;

/// <summary>Decodes whole texts of tokenizers whose tokens are bytes.</summary>
internal static class TokenBytesText
{
    /// <summary>Decodes ids to the text they spell.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="bytesOf">The bytes of a token; a token without bytes is special, and cuts off a character that is not complete.</param>
    /// <param name="mark">What is written for a special token.</param>
    public static string Decode(IEnumerable<int> ids, TokenBytes bytesOf, Func<int, string> mark)
    {
        var bytes = new List<byte>(ids.TryGetNonEnumeratedCount(out int count) ? count : 0);
        var text = new ArrayBufferWriter<char>();
        foreach (int id in ids)
        {
            ReadOnlySpan<byte> spelt = bytesOf(id);
            if (!spelt.IsEmpty)
            {
                bytes.AddRange(spelt);
                continue;
            }

            Wtf8.Decode(CollectionsMarshal.AsSpan(bytes), text);
            bytes.Clear();
            text.Write(mark(id));
        }

        Wtf8.Decode(CollectionsMarshal.AsSpan(bytes), text);
        return text.WrittenSpan.ToString();
    }
}
