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
    public TokenExample Encode(TextRow row, long position, double weight = 1)
    {
        // The last position's target is one token past the context, and another tells that the row was truncated: what is behind them is not encoded.
        int maximum = (int)Math.Min(contextLength + 2L, int.MaxValue);
        List<int> tokens = [BeginningId];
        if (row.Prompt.Length > 0)
            tokens.AddRange(tokenizer.EncodeStart(row.Prompt, maximum - tokens.Count));
        int firstTarget = tokens.Count;
        tokens.AddRange(tokenizer.EncodeStart(row.Completion, maximum - tokens.Count));
        tokens.Add(tokenizer.EndOfTextId);
        return Example(tokens, firstTarget, position, weight, wholeBytes: Encoding.UTF8.GetByteCount(row.Completion));
    }

    /// <summary>Encodes one row of token ids, as if they were those of a text: every one of them that something stands before is a target.</summary>
    /// <param name="row">The ids.</param>
    /// <param name="position">Its position in the data, from 0.</param>
    /// <exception cref="InvalidOperationException">An id is outside the vocabulary; the message names row, id and range.</exception>
    public TokenExample Encode(RowContent.TokenIds row, long position)
    {
        for (int i = 0; i < row.Ids.Length; i++)
        {
            if (row.Ids[i] < 0 || row.Ids[i] >= tokenizer.VocabularySize)
                throw new InvalidOperationException(FormattableString.Invariant(
                    $"Row {position} has the token id {row.Ids[i]} at index {i}; the vocabulary has the ids from 0 to {tokenizer.VocabularySize - 1}."));
        }
        List<int> tokens = row.AddBeginning ? [BeginningId] : [];
        tokens.AddRange(row.Ids);
        if (row.AddEnd)
            tokens.Add(tokenizer.EndOfTextId);
        return Example(tokens, firstTarget: 1, position, row.Weight, wholeBytes: null);
    }

    /// <summary>Encodes one row by what it holds.</summary>
    /// <param name="row">The row.</param>
    /// <param name="position">Its position in the data, from 0.</param>
    public TokenExample Encode(RowContent row, long position) => row switch
    {
        RowContent.Text text => Encode(new TextRow("", text.Value), position, row.Weight),
        RowContent.PromptCompletion pair => Encode(new TextRow(pair.Prompt, pair.Completion), position, row.Weight),
        RowContent.Chat chat => Chats.Encode(ChatMessages.Parse(chat.Messages, position), position, row.Weight),
        RowContent.TokenIds tokens => Encode(tokens, position),
        _ => throw new UnreachableException(),
    };

    // The model reads every token but the last, and is asked for every one from the first target on.
    private TokenExample Example(List<int> tokens, int firstTarget, long position, double weight, int? wholeBytes)
    {
        int whole = Math.Max(1, tokens.Count - 1), length = Math.Min(whole, contextLength);
        int[] ids = new int[length], targets = new int[length];
        for (int t = 0; t < length; t++)
        {
            ids[t] = t < tokens.Count ? tokens[t] : BeginningId;
            targets[t] = t + 1 >= firstTarget && t + 1 < tokens.Count ? tokens[t + 1] : TokenExample.IgnoredTarget;
        }

        bool truncated = length < whole;
        // A truncation may fall inside a character, whose first bytes decode to nothing that has their length: bytes of tokens are counted, not decoded.
        int bytes = truncated || wholeBytes is null ? targets.Where(target => target != TokenExample.IgnoredTarget).Sum(tokenizer.ByteCount) : wholeBytes.Value;
        return new TokenExample(ids, targets, bytes, position, truncated, weight);
    }
}
