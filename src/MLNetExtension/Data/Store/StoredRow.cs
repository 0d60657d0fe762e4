using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace MLNetExtension.Data.Store;

/// <summary>How an example lies in a store: flags, position, bytes of targets, weight, spans of targets, and the ids with one more behind them, which is a target alone.</summary>
/// <remarks>A target is the next token of the row, so the row's tokens are stored once, and of targets only where they are: the last ones of the row, or spans of positions.</remarks>
internal static class StoredRow
{
    private const byte Truncated = 1, Weighted = 2, Spans = 4, Undesirable = 8;

    // Flags, a position, a number of bytes, a weight and a number of spans, each at its longest.
    private const int LongestHead = 1 + 10 + 5 + sizeof(double) + 5, LongestSpan = 5 + 5;

    /// <summary>Bytes of an id, 2 or 4.</summary>
    public static int BytesPerId(int vocabularySize) => vocabularySize <= ushort.MaxValue + 1 ? sizeof(ushort) : sizeof(int);

    /// <summary>Appends an example.</summary>
    /// <returns>The number of bytes.</returns>
    /// <exception cref="ArgumentException">A target is not the row's next token.</exception>
    public static int Append(TokenExample example, int bytesPerId, ByteChunks to)
    {
        List<(int Start, int Count)> spans = FindSpans(example);
        bool isSimple = spans is [var only] && only.Start + only.Count == example.Length;
        Span<byte> bytes = to.GetSpan(checked(LongestHead + (isSimple ? 0 : spans.Count * LongestSpan) + (example.Length + 1) * bytesPerId));
        bytes[0] = (byte)((example.WasTruncated ? Truncated : 0) | (example.Weight == 1 ? 0 : Weighted) | (isSimple ? 0 : Spans) | (example.IsUndesirable ? Undesirable : 0));
        int at = 1;
        WriteNumber(example.Position, bytes, ref at);
        WriteNumber(example.TargetBytes, bytes, ref at);
        if (example.Weight != 1)
        {
            BinaryPrimitives.WriteDoubleLittleEndian(bytes[at..], example.Weight);
            at += sizeof(double);
        }
        if (!isSimple)
        {
            WriteNumber(spans.Count, bytes, ref at);
            int end = 0;
            foreach ((int start, int count) in spans)
            {
                WriteNumber(start - end, bytes, ref at);
                WriteNumber(count, bytes, ref at);
                end = start + count;
            }
        }
        WriteIds(example, bytesPerId, bytes, ref at);
        to.Advance(at);
        return at;
    }

    /// <summary>Reads an example back.</summary>
    /// <param name="bytes">What <see cref="Append"/> wrote.</param>
    /// <param name="length">Its number of positions.</param>
    /// <param name="targetCount">Its number of targets.</param>
    /// <param name="bytesPerId">Bytes of an id, 2 or 4.</param>
    public static ExampleContent Read(ReadOnlySpan<byte> bytes, int length, int targetCount, int bytesPerId)
    {
        byte flags = bytes[0];
        int at = 1;
        long position = ReadNumber(bytes, ref at);
        int targetBytes = (int)ReadNumber(bytes, ref at);
        double weight = 1;
        if ((flags & Weighted) != 0)
        {
            weight = BinaryPrimitives.ReadDoubleLittleEndian(bytes[at..]);
            at += sizeof(double);
        }
        ReadOnlySpan<byte> head = bytes[at..];
        int[] tokens = ReadIds(bytes[^((length + 1) * bytesPerId)..], bytesPerId);
        int[] targets = new int[length];
        if ((flags & Spans) == 0)
        {
            int first = length - targetCount;
            targets.AsSpan(0, first).Fill(TokenExample.IgnoredTarget);
            tokens.AsSpan(first + 1, targetCount).CopyTo(targets.AsSpan(first));
        }
        else
        {
            targets.AsSpan().Fill(TokenExample.IgnoredTarget);
            CopySpans(head, tokens, targets);
        }
        return new ExampleContent(tokens[..length], targets, targetBytes, position, (flags & Truncated) != 0, weight) { IsUndesirable = (flags & Undesirable) != 0 };
    }

    private static List<(int Start, int Count)> FindSpans(TokenExample example)
    {
        ReadOnlySpan<int> ids = example.Ids, targets = example.Targets;
        List<(int Start, int Count)> spans = [];
        for (int start = 0; start < targets.Length;)
        {
            int ignored = targets[start..].IndexOfAnyExcept(TokenExample.IgnoredTarget);
            if (ignored < 0)
                break;
            start += ignored;
            int count = targets[start..].IndexOf(TokenExample.IgnoredTarget);
            count = count < 0 ? targets.Length - start : count;
            int shifted = Math.Min(count, ids.Length - 1 - start);    // the last target is no id of the row
            if (!targets.Slice(start, shifted).SequenceEqual(ids.Slice(start + 1, shifted)))
                throw new ArgumentException(FormattableString.Invariant($"Row {example.Position} has a target that is not its next token."), nameof(example));
            spans.Add((start, count));
            start += count;
        }
        return spans;
    }

    private static void CopySpans(ReadOnlySpan<byte> head, int[] tokens, int[] targets)
    {
        int at = 0, end = 0;
        for (long spans = ReadNumber(head, ref at); spans > 0; spans--)
        {
            int start = end + (int)ReadNumber(head, ref at), count = (int)ReadNumber(head, ref at);
            tokens.AsSpan(start + 1, count).CopyTo(targets.AsSpan(start));
            end = start + count;
        }
    }

    private static void WriteIds(TokenExample example, int bytesPerId, Span<byte> bytes, ref int at)
    {
        int last = example.Length == 0 || example.Targets[^1] == TokenExample.IgnoredTarget ? 0 : example.Targets[^1];
        if (bytesPerId == sizeof(int))
        {
            MemoryMarshal.AsBytes<int>(example.Ids).CopyTo(bytes[at..]);
            at += example.Length * sizeof(int);
            BinaryPrimitives.WriteInt32LittleEndian(bytes[at..], last);
        }
        else
        {
            Span<ushort> narrow = MemoryMarshal.Cast<byte, ushort>(bytes.Slice(at, example.Length * sizeof(ushort)));
            ReadOnlySpan<int> ids = example.Ids;
            for (int t = 0; t < narrow.Length; t++)
                narrow[t] = (ushort)ids[t];
            at += example.Length * sizeof(ushort);
            BinaryPrimitives.WriteUInt16LittleEndian(bytes[at..], (ushort)last);
        }
        at += bytesPerId;
    }

    private static int[] ReadIds(ReadOnlySpan<byte> bytes, int bytesPerId)
    {
        int[] ids = new int[bytes.Length / bytesPerId];
        if (bytesPerId == sizeof(int))
        {
            bytes.CopyTo(MemoryMarshal.AsBytes(ids.AsSpan()));
            return ids;
        }
        ReadOnlySpan<ushort> narrow = MemoryMarshal.Cast<byte, ushort>(bytes);
        for (int i = 0; i < ids.Length; i++)
            ids[i] = narrow[i];
        return ids;
    }

    // Seven bits a byte, the lowest first; the top bit says that another byte follows.
    private static void WriteNumber(long value, Span<byte> bytes, ref int at)
    {
        ulong rest = (ulong)value;
        for (; rest >= 0x80; rest >>= 7)
            bytes[at++] = (byte)(rest | 0x80);
        bytes[at++] = (byte)rest;
    }

    private static long ReadNumber(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = bytes[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return (long)value;
        }
    }
}
