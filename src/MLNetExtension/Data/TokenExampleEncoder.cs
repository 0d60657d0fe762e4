using System.Diagnostics;
using System.Text;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Chat;

namespace MLNetExtension.Data;

/// <summary>
/// Turns rows into token examples: beginning-of-text, prompt, completion, end-of-text. The first token lets the one after it be a target too; the last
/// teaches the model where a text ends. A tokenizer without a beginning-of-text has the end of the text before it there. Prompt tokens are read and never asked for.
/// </summary>
/// <param name="tokenizer">Encodes prompt and completion, each by itself, so that the boundary between them is a token boundary.</param>
/// <param name="contextLength">Maximum length of an example in tokens; what goes past it is left out and <see cref="TokenExample.WasTruncated"/> says so.</param>
internal sealed class TokenExampleEncoder(ILanguageTokenizer tokenizer, int contextLength)
{
    // Made when the first chat comes: most tokenizers know none.
    private readonly Lazy<ChatExampleEncoder> _chats = new(() => tokenizer is IChatTokenizer chatTokenizer
        ? new ChatExampleEncoder(new ChatTemplate(chatTokenizer), tokenizer, contextLength)
        : throw new NotSupportedException($"Chats need a tokenizer with a chat template, as chat models are published with; a {tokenizer.GetType().Name} has none."));

    /// <summary>Id of the token that a text begins with.</summary>
    public int BeginningId => tokenizer.BeginningOfTextId ?? tokenizer.EndOfTextId;

    /// <summary>Lays out chats.</summary>
    /// <exception cref="NotSupportedException">The tokenizer has no chat template, or one that is not known.</exception>
    internal ChatExampleEncoder Chats => _chats.Value;

    /// <summary>Encodes one row.</summary>
    /// <param name="row">The row.</param>
    /// <param name="position">Its position in the data, from 0.</param>
    /// <param name="weight">Its weight. Default 1; finite, at least 0.</param>
    /// <returns>The example; its <see cref="TokenExample.TargetCount"/> is 0 where the prompt alone fills the context.</returns>
    public TokenExample Encode(TextRow row, long position, double weight = 1) => Example(
        row.Prompt.Length == 0 ? [] : Encode(row.Prompt),
        Encode(row.Completion),
        position,
        weight,
        wholeBytes: Encoding.UTF8.GetByteCount(row.Completion));

    /// <summary>Encodes one row of token ids, as if they were those of a text: every one of them is a target, between beginning and end.</summary>
    /// <param name="tokenIds">The ids, without those of the beginning and the end.</param>
    /// <param name="position">Its position in the data, from 0.</param>
    /// <param name="weight">Its weight. Default 1; finite, at least 0.</param>
    /// <exception cref="InvalidOperationException">An id is outside the vocabulary; the message names row, id and range.</exception>
    public TokenExample Encode(IReadOnlyList<int> tokenIds, long position, double weight = 1)
    {
        for (int i = 0; i < tokenIds.Count; i++)
        {
            if (tokenIds[i] < 0 || tokenIds[i] >= tokenizer.VocabularySize)
                throw new InvalidOperationException(FormattableString.Invariant(
                    $"Row {position} has the token id {tokenIds[i]} at index {i}; the vocabulary has the ids from 0 to {tokenizer.VocabularySize - 1}."));
        }
        return Example([], tokenIds, position, weight, wholeBytes: null);
    }

    /// <summary>Encodes one row by what it holds.</summary>
    /// <param name="row">The row.</param>
    /// <param name="position">Its position in the data, from 0.</param>
    public TokenExample Encode(RowContent row, long position) => row switch
    {
        RowContent.Text text => Encode(new TextRow("", text.Value), position, row.Weight),
        RowContent.PromptCompletion pair => Encode(new TextRow(pair.Prompt, pair.Completion), position, row.Weight),
        RowContent.Chat chat => Chats.Encode(ChatMessages.Parse(chat.Messages, position), position, row.Weight),
        RowContent.TokenIds tokens => Encode(tokens.Ids, position, row.Weight),
        _ => throw new UnreachableException(),
    };

    private TokenExample Example(IReadOnlyList<int> prompt, IReadOnlyList<int> completion, long position, double weight, int? wholeBytes)
    {
        int whole = prompt.Count + completion.Count + 1;
        int length = Math.Min(whole, contextLength);
        int[] ids = new int[length];
        int[] targets = new int[length];
        ids[0] = BeginningId;
        for (int t = 0; t < length; t++)
        {
            int next = Token(t);
            targets[t] = t < prompt.Count ? TokenExample.IgnoredTarget : next;
            if (t + 1 < length)
                ids[t + 1] = next;
        }

        bool truncated = length < whole;
        int bytes = truncated || wholeBytes is null ? BytesOf(completion.Take(Math.Max(0, length - prompt.Count))) : wholeBytes.Value;
        return new TokenExample(ids, targets, bytes, position, truncated, weight);

        int Token(int t) => t < prompt.Count ? prompt[t] : t - prompt.Count < completion.Count ? completion[t - prompt.Count] : tokenizer.EndOfTextId;
    }

    private IReadOnlyList<int> Encode(string text) => tokenizer.EncodeText(text);

    // A truncation may fall inside a character, whose first bytes decode to nothing that has their length: bytes of tokens are counted, not decoded.
    private int BytesOf(IEnumerable<int> ids) => ids.Sum(tokenizer.ByteCount);
}
