using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace MLNetExtension.Data.Store;

/// <summary>Hashes (SHA-256) everything that rows hold, in their order.</summary>
internal sealed class RowsHash : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Hashes rows.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="cancellationToken">Looked at before every row.</param>
    public static byte[] Of(IEnumerable<RowContent> rows, CancellationToken cancellationToken)
    {
        using RowsHash hash = new();
        foreach (RowContent row in rows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.Add(row);
        }
        return hash.Complete();
    }

    /// <summary>Hashes rows as they pass.</summary>
    public IEnumerable<RowContent> Watch(IEnumerable<RowContent> rows)
    {
        foreach (RowContent row in rows)
        {
            Add(row);
            yield return row;
        }
    }

    /// <summary>Gives the hash.</summary>
    public byte[] Complete() => _hash.GetHashAndReset();

    public void Dispose() => _hash.Dispose();

    // Kind, weight and lengths come before what they are of, so that no two lists of rows are the same bytes.
    private void Add(RowContent row)
    {
        switch (row)
        {
            case RowContent.Text text:
                Add(0, row.Weight, text.Value, "");
                break;
            case RowContent.PromptCompletion pair:
                Add(1, row.Weight, pair.Prompt, pair.Completion);
                break;
            case RowContent.Chat chat:
                Add(2, row.Weight, chat.Messages, "");
                break;
            case RowContent.TokenIds ids:
                Add(3 + (ids.AddBeginning ? 1 : 0) + (ids.AddEnd ? 2 : 0), row.Weight, MemoryMarshal.AsBytes<int>(ids.Ids), []);
                break;
            case RowContent.Pair pair:
                Add(7 + (int)pair.Kind, row.Weight, pair.Prompt, pair.First);
                Add(7, row.Weight, pair.Second, "");
                break;
        }
    }

    private void Add(int kind, double weight, string first, string second) => Add(kind, weight, MemoryMarshal.AsBytes(first.AsSpan()), MemoryMarshal.AsBytes(second.AsSpan()));

    private void Add(int kind, double weight, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        Span<byte> head = stackalloc byte[20];
        BinaryPrimitives.WriteInt32LittleEndian(head, kind);
        BinaryPrimitives.WriteDoubleLittleEndian(head[4..], weight);
        BinaryPrimitives.WriteInt32LittleEndian(head[12..], first.Length);
        BinaryPrimitives.WriteInt32LittleEndian(head[16..], second.Length);
        _hash.AppendData(head);
        _hash.AppendData(first);
        _hash.AppendData(second);
    }
}
