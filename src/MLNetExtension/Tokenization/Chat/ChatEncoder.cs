namespace MLNetExtension.Tokenization.Chat;

/// <summary>Turns rendered chats into token ids.</summary>
/// <remarks>The template's special tokens become their ids, what is between them is encoded as content. A token ends where a turn begins or ends, so that a prompt's ids are the beginning of
/// those of the chat with its answer; and where a template ends a line in front of a message, as in ChatML, the message is encoded by itself.</remarks>
internal sealed class ChatEncoder
{
    private readonly IChatTokenizer _tokenizer;

    // Whether the ids of two parts are those of the whole; not so where a tokenizer puts a space in front of every text.
    private readonly bool _canSplit;

    /// <param name="tokenizer">The tokenizer.</param>
    public ChatEncoder(IChatTokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        _canSplit = tokenizer.EncodeText("\nx").SequenceEqual(tokenizer.EncodeText("\n").Concat(tokenizer.EncodeText("x")));
    }

    /// <summary>Encodes a chat.</summary>
    /// <param name="chat">The chat.</param>
    /// <param name="targets">What of it is trained on, in order.</param>
    /// <param name="maximumCount">How many ids are needed; of those behind them, few or none come.</param>
    public ChatTokens Encode(RenderedChat chat, IReadOnlyList<ChatSpan> targets, int maximumCount)
    {
        var writer = new Writer(_tokenizer, chat.Text.Value, targets, maximumCount);
        int[] borders = _canSplit ? Borders(chat, targets) : [];
        int start = 0, border = 0;
        foreach (SpecialToken token in chat.Tokens)
        {
            if (writer.IsFull)
                break;
            AddText(token.Start);
            writer.Add(token);
            start = token.End;
        }

        AddText(chat.Text.Length);
        return writer.Tokens;

        void AddText(int end)
        {
            for (; border < borders.Length && borders[border] < end; border++)
            {
                if (borders[border] > start)
                    writer.AddPart(start, start = borders[border]);
            }

            if (_canSplit)
                writer.AddPart(start, end);
            else
                writer.AddWhole(start, end);
        }
    }

    private static int[] Borders(RenderedChat chat, IReadOnlyList<ChatSpan> targets)
    {
        string text = chat.Text.Value;
        IEnumerable<int> lines = chat.Layout.Starts.Where(start => start > 0 && text[start - 1] == '\n' && !chat.Text.OriginAt(start - 1).IsContent);
        return [.. lines.Concat(targets.Select(target => target.Start)).Concat(targets.Select(target => target.End)).Distinct().Order()];
    }

    /// <summary>Collects the ids.</summary>
    private sealed class Writer(IChatTokenizer tokenizer, string text, IReadOnlyList<ChatSpan> targets, int maximumCount)
    {
        private readonly List<int> _ids = [];
        private readonly List<bool> _isTarget = [];
        private int _target;

        public bool IsFull => _ids.Count >= maximumCount;

        public ChatTokens Tokens => new(_ids, _isTarget);

        public void Add(SpecialToken token)
        {
            _ids.Add(token.Id);
            _isTarget.Add(IsTarget(token.Start));
        }

        /// <summary>Adds a stretch that is a target as a whole or not at all.</summary>
        public void AddPart(int start, int end)
        {
            if (start >= end || IsFull)
                return;
            IReadOnlyList<int> ids = EncodeFrom(start, end, maximumCount - _ids.Count);
            _ids.AddRange(ids);
            _isTarget.AddRange(Enumerable.Repeat(IsTarget(start), ids.Count));
        }

        /// <summary>Adds a stretch in which turns may begin and end: a turn's tokens are those that are not there without it.</summary>
        public void AddWhole(int start, int end)
        {
            if (start >= end || IsFull)
                return;
            IReadOnlyList<int> ids = EncodeFrom(start, end, maximumCount - _ids.Count);
            var isTarget = new bool[ids.Count];
            foreach (ChatSpan target in targets.Where(target => target.Start < end && target.End > start))
            {
                int first = CountCommon(ids, start, target.Start), last = target.End >= end ? ids.Count : CountCommon(ids, start, target.End);
                isTarget.AsSpan(first, Math.Max(0, last - first)).Fill(true);
            }

            _ids.AddRange(ids);
            _isTarget.AddRange(isTarget);
        }

        private IReadOnlyList<int> EncodeFrom(int start, int end, int count) =>
            start == 0 ? tokenizer.EncodeStart(text[..end], count) : tokenizer.EncodeBehind(text[start..end], count);

        private int CountCommon(IReadOnlyList<int> ids, int start, int end) =>
            start >= end ? 0 : ids.Zip(EncodeFrom(start, end, ids.Count)).TakeWhile(pair => pair.First == pair.Second).Count();

        private bool IsTarget(int position)
        {
            while (_target < targets.Count && targets[_target].End <= position)
                _target++;
            return _target < targets.Count && targets[_target].Start <= position;
        }
    }
}
