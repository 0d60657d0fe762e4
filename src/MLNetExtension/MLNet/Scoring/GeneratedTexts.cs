using MLNetExtension.Data;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>The generated texts of the rows that a cursor has read ahead. A text is generated when it is first read, together with those of rows behind it.</summary>
/// <remarks>For a reader of one text none but that is generated; for one who reads on, twice as many each time. A reader who leaves texts out begins anew.</remarks>
internal sealed class GeneratedTexts(RowScoring scoring)
{
    // Their keys and values are in memory at once, of all tokens of all texts.
    private const int MaximumRows = 16;
    private const int MaximumTokens = 8192;

    private readonly List<(RowContent Content, long Position)> _rows = [];
    private readonly Dictionary<int, string> _texts = [];
    private readonly HashSet<int> _unread = [];
    private int _together = 1;

    /// <summary>Removes every row.</summary>
    public void Clear()
    {
        _rows.Clear();
        _texts.Clear();
        StartAnewIfUnread();
    }

    /// <summary>Adds a row, of which nothing is generated yet.</summary>
    public void Add(RowContent content, long position) => _rows.Add((content, position));

    /// <summary>Gives a row's text.</summary>
    /// <param name="row">Its number, in the order in which rows were added.</param>
    public string Read(int row)
    {
        if (!_texts.ContainsKey(row))
        {
            StartAnewIfUnread();
            Generate(row);
        }
        _unread.Remove(row);
        return _texts[row];
    }

    private void Generate(int first)
    {
        IReadOnlyList<string> texts;
        try
        {
            texts = scoring.Continue(EncodePrompts(first, _together));
            _together = Math.Min(2 * _together, MaximumRows);
        }
        // A row behind this one that cannot be continued, or too little memory for all of them, must not keep this one from being read.
        catch (Exception) when (_together > 1)
        {
            _together = 1;
            texts = scoring.Continue(EncodePrompts(first, count: 1));
        }
        for (int i = 0; i < texts.Count; i++)
        {
            _texts[first + i] = texts[i];
            _unread.Add(first + i);
        }
    }

    private List<IReadOnlyList<int>> EncodePrompts(int first, int count)
    {
        List<IReadOnlyList<int>> prompts = [];
        long longest = 0;
        foreach ((RowContent content, long position) in _rows.Skip(first).Take(count))
        {
            IReadOnlyList<int> prompt = scoring.EncodePromptOf(content, position);
            longest = Math.Max(longest, prompt.Count);
            if (prompts.Count > 0 && (prompts.Count + 1) * (longest + scoring.MaximumNewTokens) > MaximumTokens)
                break;
            prompts.Add(prompt);
        }
        return prompts;
    }

    private void StartAnewIfUnread()
    {
        if (_unread.Count > 0)
            _together = 1;
        _unread.Clear();
    }
}
