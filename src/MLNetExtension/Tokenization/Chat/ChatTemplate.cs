namespace MLNetExtension.Tokenization.Chat;

/// <summary>Encodes a chat in the layout that a model was trained on.</summary>
/// <remarks>
/// <para>What is in the messages is laid out, and nothing else: a template's default system message, its date, its tools and its blocks for thoughts
/// are not added. A system message is there only if it is the first of the messages.</para>
/// <para>Header and content are encoded each by itself, and the content as content: marks that are written out in a message stay ordinary
/// characters, so that a message cannot forge a turn. The ids are those of the published template wherever a ChatML message does not begin with a
/// line break, which that would fuse with the header's.</para>
/// <para>Any number of threads may use one.</para>
/// </remarks>
internal sealed class ChatTemplate
{
    private readonly IChatTokenizer _tokenizer;

    /// <summary>Creates the template of a tokenizer, of the family that its chat template names; without one, of the family of its special
    /// tokens.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <exception cref="ArgumentNullException"><paramref name="tokenizer"/> is null.</exception>
    /// <exception cref="NotSupportedException">The family is not known; the message names it where it can, and those that are.</exception>
    /// <exception cref="InvalidDataException">The template's marks are not special tokens of the tokenizer.</exception>
    public ChatTemplate(IChatTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        Family = ChatFamilies.Detect(tokenizer);
    }

    /// <summary>The layout.</summary>
    public ChatFamily Family { get; }

    /// <summary>The id that ends a turn, and so ends what a model generates.</summary>
    public int EndOfTurnId => GetId(Family == ChatFamily.ChatML ? ChatFamilies.TurnEnd : ChatFamilies.HeaderTurnEnd);

    /// <summary>Encodes a whole chat to train on.</summary>
    /// <param name="messages">The messages in order, each with a known role.</param>
    /// <param name="maximumCount">How many ids are needed; of those behind them, few or none come. Default: all.</param>
    /// <returns>The ids, and which of them are targets.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="messages"/> is null.</exception>
    /// <exception cref="ArgumentException">There is no message, or one has a role that is not known.</exception>
    public ChatTokens Encode(IReadOnlyList<ChatMessage> messages, int maximumCount = int.MaxValue)
    {
        Check(messages);
        var ids = new List<int>();
        var isTarget = new List<bool>();
        if (Family == ChatFamily.Llama3)
            Add([GetId(ChatFamilies.TextStart)], areTargets: false);

        foreach (ChatMessage message in messages.TakeWhile(_ => ids.Count < maximumCount))
        {
            bool isAssistant = message.Role == ChatMessage.Assistant;
            string content = Family == ChatFamily.Llama3 ? message.Content.Trim() : message.Content;
            Add(EncodeHeader(message.Role), areTargets: false);
            Add(_tokenizer.EncodeStart(content, Math.Max(0, maximumCount - ids.Count)), areTargets: isAssistant);
            Add([EndOfTurnId], areTargets: isAssistant);
            if (Family == ChatFamily.ChatML)
                Add(_tokenizer.EncodeText("\n"), areTargets: false);
        }

        return new ChatTokens(ids, isTarget);

        void Add(IReadOnlyList<int> piece, bool areTargets)
        {
            ids.AddRange(piece);
            isTarget.AddRange(Enumerable.Repeat(areTargets, piece.Count));
        }
    }

    /// <summary>Encodes a chat that the assistant is to continue.</summary>
    /// <param name="messages">The messages so far.</param>
    /// <returns>The ids, up to where the assistant's words begin; generate from here until <see cref="EndOfTurnId"/>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="messages"/> is null.</exception>
    /// <exception cref="ArgumentException">There is no message, or one has a role that is not known.</exception>
    public IReadOnlyList<int> EncodePrompt(IReadOnlyList<ChatMessage> messages) => [.. Encode(messages).Ids, .. EncodeHeader(ChatMessage.Assistant)];

    private static void Check(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (messages.Count == 0)
            throw new ArgumentException("A chat needs at least one message.", nameof(messages));

        for (int i = 0; i < messages.Count; i++)
        {
            if (!ChatMessage.Roles.Contains(messages[i].Role))
                throw new ArgumentException($"Message {i} has the role '{messages[i].Role}'; known are {string.Join(", ", ChatMessage.Roles)}.", nameof(messages));
        }
    }

    private IReadOnlyList<int> EncodeHeader(string role) => Family switch
    {
        ChatFamily.ChatML => [GetId(ChatFamilies.TurnStart), .. _tokenizer.EncodeText($"{role}\n")],
        _ => [GetId(ChatFamilies.HeaderStart), .. _tokenizer.EncodeText(role), GetId(ChatFamilies.HeaderEnd), .. _tokenizer.EncodeText("\n\n")],
    };

    private int GetId(string content) => _tokenizer.SpecialTokens[content];
}
