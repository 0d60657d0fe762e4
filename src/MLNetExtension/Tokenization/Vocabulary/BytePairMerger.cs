using System.Runtime.InteropServices;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.Vocabulary;

/// <summary>Merges the most frequent pair of neighbouring tokens in all words, one pair at a time.</summary>
/// <remarks>
/// Each pair has its count and the words in which it was seen, so a merge visits those words alone and changes the counts of the pairs next to it.
/// The queue does not follow counts that fall: an entry that comes out with an old count goes back in with the present one.
/// </remarks>
internal sealed class BytePairMerger
{
    private readonly int _minimumCount;
    private readonly List<string> _tokens;
    private readonly HashSet<string> _spellings;
    private readonly List<(int Left, int Right)> _merges = [];
    private readonly int[][] _words; // token ids; a word that shrinks keeps its array
    private readonly int[] _lengths;
    private readonly long[] _wordCounts;
    private readonly Dictionary<(int Left, int Right), PairUse> _pairs = [];
    private readonly PriorityQueue<(int Left, int Right), (long FewerFirst, int Left, int Right)> _queue = new();

    /// <param name="bytes">The first tokens, one for each byte.</param>
    /// <param name="words">The words and how often each occurs in the texts.</param>
    /// <param name="minimumCount">The count that a pair needs to be merged.</param>
    public BytePairMerger(IReadOnlyList<string> bytes, IReadOnlyDictionary<string, long> words, int minimumCount)
    {
        _minimumCount = minimumCount;
        _tokens = [.. bytes];
        _spellings = [.. bytes];
        Dictionary<char, int> ids = Enumerable.Range(0, bytes.Count).ToDictionary(id => bytes[id][0]);
        _words = new int[words.Count][];
        _wordCounts = [.. words.Values];
        int index = 0;
        foreach (string word in words.Keys)
            _words[index++] = [.. ByteAlphabet.Encode(word).Select(character => ids[character])];

        _lengths = [.. _words.Select(word => word.Length)];
        for (int word = 0; word < _words.Length; word++)
        {
            for (int i = 0; i + 1 < _lengths[word]; i++)
                ChangeCount((_words[word][i], _words[word][i + 1]), _wordCounts[word], word);
        }

        foreach (((int Left, int Right) pair, PairUse use) in _pairs)
            Enqueue(pair, use.Count);
    }

    /// <summary>The tokens, in order of their ids.</summary>
    public IReadOnlyList<string> Tokens => _tokens;

    /// <summary>The pairs of ids, in the order in which they were merged.</summary>
    public IReadOnlyList<(int Left, int Right)> Merges => _merges;

    /// <summary>Merges one pair; false where none is frequent enough.</summary>
    public bool TryMergeNext()
    {
        while (_queue.TryDequeue(out (int Left, int Right) pair, out (long FewerFirst, int, int) priority))
        {
            if (!_pairs.TryGetValue(pair, out PairUse use))
                continue;

            if (use.Count != -priority.FewerFirst)
            {
                Enqueue(pair, use.Count);
                continue;
            }

            string spelling = _tokens[pair.Left] + _tokens[pair.Right];
            if (!_spellings.Add(spelling))
                continue;

            _tokens.Add(spelling);
            _merges.Add(pair);
            Merge(pair, use.Words);
            return true;
        }

        return false;
    }

    private void Merge((int Left, int Right) pair, List<int> words)
    {
        int merged = _tokens.Count - 1;
        var added = new HashSet<(int Left, int Right)>();
        foreach (int word in words)
            Merge(word, pair, merged, added);

        _pairs.Remove(pair);
        foreach ((int Left, int Right) neighbours in added)
        {
            // A new pair may be gone again: of three in a row, the first two make a token that the next merge in the word takes.
            if (_pairs.TryGetValue(neighbours, out PairUse use))
                Enqueue(neighbours, use.Count);
        }
    }

    // A word stands in the list as often as the pair stood in it; the second time there is nothing left to merge.
    private void Merge(int word, (int Left, int Right) pair, int merged, HashSet<(int Left, int Right)> added)
    {
        Span<int> ids = _words[word].AsSpan(0, _lengths[word]);
        if (!Contains(ids, pair))
            return;

        long count = _wordCounts[word];
        int length = ids.Length;
        int kept = 0;
        for (int i = 0; i + 1 < length; i++)
            ChangeCount((ids[i], ids[i + 1]), -count, word);

        for (int i = 0; i < length; i++)
        {
            bool isPair = i + 1 < length && ids[i] == pair.Left && ids[i + 1] == pair.Right;
            ids[kept++] = isPair ? merged : ids[i];
            if (isPair)
                i++;
        }

        _lengths[word] = kept;
        for (int i = 0; i + 1 < kept; i++)
        {
            (int Left, int Right) neighbours = (ids[i], ids[i + 1]);
            bool isNew = neighbours.Left == merged || neighbours.Right == merged;
            ChangeCount(neighbours, count, isNew ? word : null);
            if (isNew)
                added.Add(neighbours);
        }
    }

    private static bool Contains(ReadOnlySpan<int> ids, (int Left, int Right) pair)
    {
        for (int i = 0; i + 1 < ids.Length; i++)
        {
            if (ids[i] == pair.Left && ids[i + 1] == pair.Right)
                return true;
        }

        return false;
    }

    private void ChangeCount((int Left, int Right) pair, long change, int? word)
    {
        ref PairUse use = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, pair, out _);
        use.Words ??= [];
        use.Count += change;
        if (word is { } index && change > 0)
            use.Words.Add(index);
    }

    private void Enqueue((int Left, int Right) pair, long count)
    {
        if (count >= _minimumCount)
            _queue.Enqueue(pair, (-count, pair.Left, pair.Right));
    }

    private struct PairUse
    {
        public long Count;
        public List<int> Words;
    }
}
