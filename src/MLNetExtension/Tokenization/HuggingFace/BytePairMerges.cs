namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Merges the symbols of a word to tokens: of all neighbours that the model merges those of the lowest rank, of equal ones the leftmost, until none are left.</summary>
/// <remarks>Not ML.NET's encoder, whose time is quadratic in a word's length; n log n here. Source: R. Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016.</remarks>
internal sealed class BytePairMerges
{
    // A short word has its lowest rank found by looking at all of them, which takes less time than a queue.
    private const int ShortWord = 96;
    private const int None = int.MaxValue;

    private readonly Dictionary<(int Left, int Right), Merge> _merges;

    /// <summary>Prepares the merges of a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="notInText">Ids that a text cannot have: nothing is merged to them.</param>
    public BytePairMerges(BytePairModel model, IReadOnlySet<int> notInText)
    {
        _merges = new(model.Merges.Count);
        int rank = 0;
        foreach ((string left, string right) in model.Merges)
        {
            int id = model.Vocabulary[left + right];
            if (!notInText.Contains(id))
                _merges.Add((model.Vocabulary[left], model.Vocabulary[right]), new Merge(rank, id));
            rank++;
        }
    }

    /// <summary>Appends the tokens of a word.</summary>
    /// <param name="word">The word's symbols.</param>
    /// <param name="ids">Receives the tokens' ids.</param>
    public void Encode(ReadOnlySpan<int> word, List<int> ids)
    {
        if (word.Length <= ShortWord)
            EncodeShort(word, ids);
        else
            EncodeLong(word, ids, null);
    }

    /// <summary>Appends the tokens of a word and where each ends, in symbols from its beginning.</summary>
    public void Encode(ReadOnlySpan<int> word, List<int> ids, List<int> ends) => EncodeLong(word, ids, ends);

    private void EncodeShort(ReadOnlySpan<int> word, List<int> ids)
    {
        Span<int> symbols = stackalloc int[ShortWord], ranks = stackalloc int[ShortWord];
        int count = word.Length;
        word.CopyTo(symbols);

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

    private void EncodeLong(ReadOnlySpan<int> word, List<int> ids, List<int>? ends)
    {
        var symbols = new Symbol[word.Length];
        for (int i = 0; i < symbols.Length; i++)
            symbols[i] = new Symbol(word[i], i - 1, i + 1);

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
        {
            ids.Add(symbols[i].Id);
            ends?.Add(symbols[i].Next);
        }

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
