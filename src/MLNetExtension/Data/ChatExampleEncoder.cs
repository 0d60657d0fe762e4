using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Chat;

namespace MLNetExtension.Data;

/// <summary>
/// Turns chats into token examples whose targets are what the assistant says: its words and the token that ends its turn. Everything else is
/// context.
/// </summary>
/// <param name="template">Lays out the chat.</param>
/// <param name="tokenizer">The tokenizer that the template was made with; counts bytes.</param>
/// <param name="contextLength">Maximum length of an example in tokens; what goes past it is left out and <see cref="TokenExample.WasTruncated"/> says
/// so.</param>
internal sealed class ChatExampleEncoder(ChatTemplate template, ILanguageTokenizer tokenizer, int contextLength)
{
    /// <summary>Lays out the chat.</summary>
    public ChatTemplate Template => template;

    /// <summary>The id that ends a turn.</summary>
    public int EndOfTurnId => template.EndOfTurnId;

    /// <summary>Encodes messages that the assistant is to answer; see <see cref="Prompt(ChatConversation, long)"/>.</summary>
    public IReadOnlyList<int> Prompt(IReadOnlyList<ChatMessage> messages, long position) => Prompt(new ChatConversation(messages), position);

    /// <summary>Encodes a chat that the assistant is to go on with: what it said last, if that ends the chat, is left out.</summary>
    /// <param name="chat">The chat.</param>
    /// <param name="position">Its row of the data, from 0; for messages of errors.</param>
    /// <returns>The ids, up to where the assistant's words begin.</returns>
    /// <exception cref="InvalidDataException">There is nothing to answer, or the template refuses the chat; the message names the row.</exception>
    public IReadOnlyList<int> Prompt(ChatConversation chat, long position)
    {
        int count = chat.Messages.Count;
        while (count > 0 && chat.Messages[count - 1].Role == ChatMessage.Assistant)
            count--;
        return count > 0 ? Named(position, () => template.EncodePrompt(chat with { Messages = [.. chat.Messages.Take(count)] }))
            : throw new InvalidDataException($"Row {position}: the chat has no message that the assistant could answer.");
    }

    /// <summary>Encodes one chat.</summary>
    /// <param name="conversation">The chat.</param>
    /// <param name="position">Its row of the data, from 0.</param>
    /// <param name="weight">Its weight. Default 1; finite, at least 0.</param>
    /// <returns>The example; its <see cref="TokenExample.TargetCount"/> is 0 where the assistant says nothing within the context.</returns>
    /// <exception cref="InvalidDataException">The template refuses the chat; the message names the row.</exception>
    public TokenExample Encode(ChatConversation conversation, long position, double weight = 1)
    {
        // The last position's target is one token past the context, and another tells that the chat was truncated.
        ChatTokens chat = Named(position, () => template.Encode(conversation, maximumCount: (int)Math.Min(contextLength + 2L, int.MaxValue)));
        if (chat.Ids.Count < 2)
            throw new InvalidDataException($"Row {position}: the chat template writes {chat.Ids.Count} tokens for the chat, too few to learn from.");
        int whole = chat.Ids.Count - 1; // the last token is a target alone
        int length = Math.Min(whole, contextLength);
        int[] ids = new int[length];
        int[] targets = new int[length];
        int bytes = 0;
        for (int t = 0; t < length; t++)
        {
            ids[t] = chat.Ids[t];
            bool isTarget = chat.IsTarget[t + 1];
            targets[t] = isTarget ? chat.Ids[t + 1] : TokenExample.IgnoredTarget;
            if (isTarget)
                bytes += tokenizer.ByteCount(chat.Ids[t + 1]);
        }

        return new TokenExample(ids, targets, bytes, position, wasTruncated: length < whole, weight);
    }

    /// <summary>Adds the tokens of a whole chat to a row that may be split.</summary>
    public void AddTo(TokenSplitter pieces, ChatConversation conversation, long position)
    {
        ChatTokens chat = Named(position, () => template.Encode(conversation));
        for (int i = 0; i < chat.Ids.Count; i++)
            pieces.Add(chat.Ids[i], chat.IsTarget[i]);
    }

    private static T Named<T>(long position, Func<T> encode)
    {
        try
        {
            return encode();
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"Row {position}: {error.Message}", error);
        }
    }
}
