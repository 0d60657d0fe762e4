using System.Runtime.InteropServices;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.Vocabulary;

/// <summary>Merges the most frequent pair of neighbouring tokens in all words, one pair at a time.</summary>
/// <remarks>
/// The tokens of all words stand in one list, each with links to its neighbours, and a pair has its count and the places where it was seen: a merge visits those places alone and changes the counts
/// of the pairs next to them, so the time of all merges is that of the letters, however long a word is. The queue does not follow counts that fall: an entry that comes out with an old count goes
/// back in with the present one.
/// </remarks>
internal sealed class BytePairMerger
{
    private const int None = -1;

    private readonly int _minimumCount;
    private readonly List<string> _tokens;
    private readonly HashSet<string> _spellings;
    private readonly List<(int Left, int Right)> _merges = [];
    private readonly Place[] _places;
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
        _wordCounts = [.. words.Values];
        _places = MakePlaces(bytes, words.Keys);
        for (int left = 0; left < _places.Length; left++)
        {
            if (_places[left].Next != None)
                Add(left, _places[left].Next);
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
            Merge(pair, use.Places);
            return true;
        }

        return false;
    }

    private static Place[] MakePlaces(IReadOnlyList<string> bytes, IEnumerable<string> words)
    {
        Dictionary<char, int> ids = Enumerable.Range(0, bytes.Count).ToDictionary(id => bytes[id][0]);
        var places = new List<Place>();
        int word = 0;
        foreach (string text in words)
        {
            int first = places.Count;
            foreach (char character in ByteAlphabet.Encode(text))
                places.Add(new Place { Id = ids[character], Word = word, Previous = places.Count - 1, Next = places.Count + 1 });

            if (places.Count > first)
            {
                CollectionsMarshal.AsSpan(places)[first].Previous = None;
                CollectionsMarshal.AsSpan(places)[^1].Next = None;
            }

            word++;
        }

        return [.. places];
    }

    private void Merge((int Left, int Right) pair, List<int> places)
    {
        int merged = _tokens.Count - 1;
        var added = new HashSet<(int Left, int Right)>();
        // From left to right, as they were found: of three equal tokens in a row the first two become one.
        foreach (int left in places)
        {
            int right = _places[left].Next;
            if (_places[left].Id == pair.Left && right != None && _places[right].Id == pair.Right)
                Merge(left, right, merged, added);
        }

        _pairs.Remove(pair);
        foreach ((int Left, int Right) neighbours in added)
        {
            // A new pair may be gone again: of three in a row, the first two make a token that the next merge in the word takes.
            if (_pairs.TryGetValue(neighbours, out PairUse use))
                Enqueue(neighbours, use.Count);
        }
    }

    private void Merge(int left, int right, int merged, HashSet<(int Left, int Right)> added)
    {
        int previous = _places[left].Previous, next = _places[right].Next;
        if (previous != None)
            Remove(previous, left);

        Remove(left, right);
        if (next != None)
            Remove(right, next);

        _places[left].Id = merged;
        _places[left].Next = next;
        _places[right].Id = None;
        if (next != None)
        {
            _places[next].Previous = left;
            added.Add(Add(left, next));
        }

        if (previous != None)
            added.Add(Add(previous, left));
    }

    private (int Left, int Right) Add(int left, int right)
    {
        (int Left, int Right) pair = (_places[left].Id, _places[right].Id);
        ref PairUse use = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, pair, out _);
        use.Places ??= [];
        use.Places.Add(left);
        use.Count += _wordCounts[_places[left].Word];
        return pair;
    }

    private void Remove(int left, int right) =>
        CollectionsMarshal.GetValueRefOrAddDefault(_pairs, (_places[left].Id, _places[right].Id), out _).Count -= _wordCounts[_places[left].Word];

    private void Enqueue((int Left, int Right) pair, long count)
    {
        if (count >= _minimumCount)
            _queue.Enqueue(pair, (-count, pair.Left, pair.Right));
    }

    /// <summary>A token in a word, and its neighbours there.</summary>
    private struct Place
    {
        public int Id;
        public int Word;
        public int Previous;
        public int Next;
    }

    private struct PairUse
    {
        public long Count;
        public List<int> Places;
    }
}
