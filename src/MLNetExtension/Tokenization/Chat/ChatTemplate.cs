using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tokenization.Chat;

/// <summary>Lays out a chat in the token ids that a model was trained on.</summary>
/// <remarks>
/// <para>What is in the messages is laid out, and nothing else: a template's default system message, its date, its tools and its blocks for thoughts
/// are not added. Whoever wants a system message puts it in front.</para>
/// <para>Header and content are encoded each by itself, and the content as content: marks that are written out in a message stay ordinary
/// characters, so that a message cannot forge a turn. The ids are those of the published template wherever a ChatML message does not begin with a
/// line break, which that would fuse with the header's.</para>
/// <para>Any number of threads may use one.</para>
/// </remarks>
internal sealed class ChatTemplate
{
    private readonly HuggingFaceTokenizer _tokenizer;

    /// <summary>Makes the template of a tokenizer: that of the family by whose marks its chat template is recognised, or without one its special
    /// tokens.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <exception cref="ArgumentNullException"><paramref name="tokenizer"/> is null.</exception>
    /// <exception cref="NotSupportedException">The family is not known; the message names it where it can, and those that are.</exception>
    /// <exception cref="InvalidDataException">The template's marks are not special tokens of the tokenizer.</exception>
    public ChatTemplate(HuggingFaceTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        Family = ChatFamilies.Of(tokenizer);
    }

    /// <summary>The layout.</summary>
    public ChatFamily Family { get; }

    /// <summary>The id that ends a turn, and with it what a model says.</summary>
    public int EndOfTurnId => Mark(Family == ChatFamily.ChatML ? ChatFamilies.TurnEnd : ChatFamilies.HeaderTurnEnd);

    /// <summary>Lays out a whole chat to learn from.</summary>
    /// <param name="messages">The messages in order, each with a known role.</param>
    /// <returns>The ids, and which of them are learnt.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="messages"/> is null.</exception>
    /// <exception cref="ArgumentException">There is no message, or one has a role that is not known.</exception>
    public ChatTokens Encode(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (messages.Count == 0)
            throw new ArgumentException("A chat needs at least one message.", nameof(messages));

        var ids = new List<int>();
        var isLearnt = new List<bool>();
        if (Family == ChatFamily.Llama3)
            Add([Mark(ChatFamilies.TextStart)], learns: false);

        for (int i = 0; i < messages.Count; i++)
        {
            ChatMessage message = messages[i];
            if (!ChatMessage.Roles.Contains(message.Role))
                throw new ArgumentException($"Message {i} has the role '{message.Role}'; known are {string.Join(", ", ChatMessage.Roles)}.", nameof(messages));

            bool learns = message.Role == ChatMessage.Assistant;
            Add(Header(message.Role), learns: false);
            Add(_tokenizer.EncodeText(Family == ChatFamily.Llama3 ? message.Content.Trim() : message.Content), learns);
            Add([EndOfTurnId], learns);
            if (Family == ChatFamily.ChatML)
                Add(_tokenizer.EncodeText("\n"), learns: false);
        }

        return new ChatTokens(ids, isLearnt);

        void Add(IReadOnlyList<int> piece, bool learns)
        {
            ids.AddRange(piece);
            isLearnt.AddRange(Enumerable.Repeat(learns, piece.Count));
        }
    }

    /// <summary>Lays out a chat that the assistant is to go on with.</summary>
    /// <param name="messages">The messages so far.</param>
    /// <returns>The ids, up to where the assistant's words begin; generate from here until <see cref="EndOfTurnId"/>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="messages"/> is null.</exception>
    /// <exception cref="ArgumentException">There is no message, or one has a role that is not known.</exception>
    public IReadOnlyList<int> EncodePrompt(IReadOnlyList<ChatMessage> messages) => [.. Encode(messages).Ids, .. Header(ChatMessage.Assistant)];

    private IReadOnlyList<int> Header(string role) => Family switch
    {
        ChatFamily.ChatML => [Mark(ChatFamilies.TurnStart), .. _tokenizer.EncodeText($"{role}\n")],
        _ => [Mark(ChatFamilies.HeaderStart), .. _tokenizer.EncodeText(role), Mark(ChatFamilies.HeaderEnd), .. _tokenizer.EncodeText("\n\n")],
    };

    private int Mark(string content) => _tokenizer.SpecialTokens[content];
}
