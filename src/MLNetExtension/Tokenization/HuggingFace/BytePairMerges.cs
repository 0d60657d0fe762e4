using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Merges the bytes of a word to tokens: of all neighbours that the model merges those of the lowest rank, of equal ones the leftmost, until none are left.</summary>
/// <remarks>Not ML.NET's encoder, whose time is quadratic in a word's length; n log n here. Source: R. Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016.</remarks>
internal sealed class BytePairMerges
{
    // A short word has its lowest rank found by looking at all of them, which takes less time than a queue.
    private const int ShortWord = 48;
    private const int None = int.MaxValue;

    private readonly int[] _byteIds = new int[byte.MaxValue + 1];
    private readonly Dictionary<(int Left, int Right), Merge> _merges;

    public BytePairMerges(TokenizerDefinition definition)
    {
        for (int value = 0; value < _byteIds.Length; value++)
            _byteIds[value] = definition.Vocabulary[ByteAlphabet.GetChar((byte)value).ToString()];

        _merges = new(definition.Merges.Count);
        foreach ((string left, string right) in definition.Merges)
            _merges.Add((definition.Vocabulary[left], definition.Vocabulary[right]), new Merge(_merges.Count, definition.Vocabulary[left + right]));
    }

    /// <summary>Appends the tokens of a word.</summary>
    /// <param name="bytes">The word's bytes.</param>
    /// <param name="ids">Receives the tokens' ids.</param>
    public void Encode(ReadOnlySpan<byte> bytes, List<int> ids)
    {
        if (bytes.Length <= ShortWord)
            EncodeShort(bytes, ids);
        else
            EncodeLong(bytes, ids);
    }

    private void EncodeShort(ReadOnlySpan<byte> bytes, List<int> ids)
    {
        Span<int> symbols = stackalloc int[ShortWord], ranks = stackalloc int[ShortWord];
        int count = bytes.Length;
        for (int i = 0; i < count; i++)
            symbols[i] = _byteIds[bytes[i]];

        for (int i = 0; i + 1 < count; i++)
            ranks[i] = RankOf(symbols[i], symbols[i + 1]);

        while (count > 1)
        {
            int lowest = IndexOfLowest(ranks[..(count - 1)]);
            if (ranks[lowest] == None)
                break;

            symbols[lowest] = _merges[(symbols[lowest], symbols[lowest + 1])].Id;
            symbols[(lowest + 2)..count].CopyTo(symbols[(lowest + 1)..]);
            ranks[(lowest + 1)..(count - 1)].CopyTo(ranks[lowest..]);
            count--;
            if (lowest > 0)
                ranks[lowest - 1] = RankOf(symbols[lowest - 1], symbols[lowest]);
            if (lowest + 1 < count)
                ranks[lowest] = RankOf(symbols[lowest], symbols[lowest + 1]);
        }

        ids.AddRange(symbols[..count]);
    }

    private static int IndexOfLowest(ReadOnlySpan<int> ranks)
    {
        int lowest = 0;
        for (int i = 1; i < ranks.Length; i++)
        {
            if (ranks[i] < ranks[lowest])
                lowest = i;
        }

        return lowest;
    }

    private void EncodeLong(ReadOnlySpan<byte> bytes, List<int> ids)
    {
        var symbols = new Symbol[bytes.Length];
        for (int i = 0; i < symbols.Length; i++)
            symbols[i] = new Symbol(_byteIds[bytes[i]], i - 1, i + 1);

        var queue = new PriorityQueue<(int Left, int Id), (int Rank, int Left)>();
        for (int i = 0; i + 1 < symbols.Length; i++)
            Enqueue(i, i + 1);

        while (queue.TryDequeue(out (int Left, int Id) entry, out _))
        {
            Symbol left = symbols[entry.Left];
            // Either of the two may have been merged since.
            if (left.Id < 0 || left.Next == symbols.Length || !_merges.TryGetValue((left.Id, symbols[left.Next].Id), out Merge merge) || merge.Id != entry.Id)
                continue;

            int next = symbols[left.Next].Next;
            symbols[left.Next] = new Symbol(-1, 0, 0);
            symbols[entry.Left] = new Symbol(merge.Id, left.Previous, next);
            if (next < symbols.Length)
                symbols[next] = symbols[next] with { Previous = entry.Left };

            Enqueue(left.Previous, entry.Left);
            Enqueue(entry.Left, next);
        }

        for (int i = 0; i < symbols.Length; i = symbols[i].Next)
            ids.Add(symbols[i].Id);

        void Enqueue(int left, int right)
        {
            if (left >= 0 && right < symbols.Length && _merges.TryGetValue((symbols[left].Id, symbols[right].Id), out Merge merge))
                queue.Enqueue((left, merge.Id), (merge.Rank, left));
        }
    }

    private int RankOf(int left, int right) => _merges.TryGetValue((left, right), out Merge merge) ? merge.Rank : None;

    private readonly record struct Merge(int Rank, int Id);

    private readonly record struct Symbol(int Id, int Previous, int Next);
}
