using MLNetExtension.Tokenization.Chat.Jinja;

namespace MLNetExtension.Tokenization.Chat;

/// <summary>Where the texts of the messages stand in a rendered chat.</summary>
internal sealed class ChatLayout
{
    private readonly List<(int Start, int End, int Source)> _contents = [];
    private readonly Dictionary<int, (int First, int Last, int Count)> _places = [];
    private readonly int _length;

    /// <param name="text">The rendered chat.</param>
    public ChatLayout(TracedText text)
    {
        _length = text.Length;
        int start = 0;
        foreach (TextRun run in text.Runs)
        {
            if (run.Origin.IsContent)
                Add(start, run.End, run.Origin.Source);
            start = run.End;
        }
    }

    /// <summary>The first characters of the stretches of content, in order.</summary>
    public IEnumerable<int> Starts => _contents.Select(content => content.Start);

    /// <summary>Finds the text of a message; null where the template writes none of it.</summary>
    public MessagePlace? Find(int message)
    {
        if (!_places.TryGetValue(message, out (int First, int Last, int Count) place))
            return null;
        int before = place.First == 0 ? 0 : _contents[place.First - 1].End;
        int after = place.Last + 1 == _contents.Count ? _length : _contents[place.Last + 1].Start;
        return new MessagePlace(before, _contents[place.First].Start, _contents[place.Last].End, after, IsWhole: place.Last - place.First + 1 == place.Count);
    }

    /// <summary>Where the first content begins behind a position.</summary>
    public int NextContent(int position)
    {
        int index = _contents.FindIndex(content => content.Start >= position);
        return index < 0 ? _length : _contents[index].Start;
    }

    private void Add(int start, int end, int source)
    {
        int index = _contents.Count;
        _contents.Add((start, end, source));
        _places[source] = _places.TryGetValue(source, out (int First, int Last, int Count) place) ? (place.First, index, place.Count + 1) : (index, index, 1);
    }
}

/// <summary>Where the text of a message stands.</summary>
/// <param name="Before">Where the content in front of it ends.</param>
/// <param name="Start">Its first character.</param>
/// <param name="End">Behind its last character.</param>
/// <param name="After">Where the content behind it begins.</param>
/// <param name="IsWhole">Whether no other content is within it.</param>
internal readonly record struct MessagePlace(int Before, int Start, int End, int After, bool IsWhole);
