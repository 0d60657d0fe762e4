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
/// <param name="contextLength">Maximum length of an example in tokens.</param>
/// <param name="longRows">What becomes of a row that is longer, where all of it is encoded. Default: it is truncated.</param>
internal sealed class TokenExampleEncoder(ILanguageTokenizer tokenizer, int contextLength, LongRows longRows = LongRows.Truncate)
{
    // Made when the first chat comes: most tokenizers know none.
    private readonly Lazy<ChatExampleEncoder> _chats = new(() => tokenizer is IChatTokenizer chatTokenizer
        ? new ChatExampleEncoder(new ChatTemplate(chatTokenizer), tokenizer, contextLength)
        : throw new NotSupportedException($"Chats need a tokenizer with a chat template, as chat models are published with; a {tokenizer.GetType().Name} has none."));

    /// <summary>Encodes rows' texts.</summary>
    public ILanguageTokenizer Tokenizer => tokenizer;

    /// <summary>Maximum length of an example in tokens.</summary>
    public int ContextLength => contextLength;

    /// <summary>What becomes of a row that is longer.</summary>
    public LongRows LongRows => longRows;

    /// <summary>Lays out chats.</summary>
    /// <exception cref="NotSupportedException">The tokenizer has no chat template, or one that is not known.</exception>
    internal ChatExampleEncoder Chats => _chats.Value;

    /// <summary>Encodes all of a row: one example, or several where it is longer than the context and long rows are split.</summary>
    /// <param name="row">The row.</param>
    /// <param name="position">Its position in the data, from 0.</param>
    /// <param name="add">Receives the examples in order: at least one, and of several each has a target; of a pair two or none.</param>
    public void EncodeAll(RowContent row, long position, Action<TokenExample> add)
    {
        if (row is RowContent.Pair two)
        {
            AddPair(two, position, add);
            return;
        }
        if (longRows == LongRows.Truncate)
        {
            add(Encode(row, position));
            return;
        }
        int? wholeBytes = row switch
        {
            RowContent.Text text => Encoding.UTF8.GetByteCount(text.Value),
            RowContent.PromptCompletion pair => Encoding.UTF8.GetByteCount(pair.Completion),
            _ => null,
        };
        TokenSplitter pieces = new(contextLength, new SplitRow(position, row.Weight, wholeBytes), tokenizer.ByteCount, add);
        switch (row)
        {
            case RowContent.Text text:
                AddText(pieces, "", text.Value);
                break;
            case RowContent.PromptCompletion pair:
                AddText(pieces, pair.Prompt, pair.Completion);
                break;
            case RowContent.Chat chat:
                Chats.AddTo(pieces, ChatMessages.Parse(chat.Messages, position), position);
                break;
            case RowContent.TokenIds ids:
                AddIds(pieces, ids, position);
                break;
            default:
                throw new UnreachableException();
        }
        pieces.Complete(tokenizer.BeginningId);
    }

    /// <summary>Encodes one row, as far as it fits the context: what goes past it is left out and <see cref="TokenExample.WasTruncated"/> says so.</summary>
    /// <param name="row">The row.</param>
    /// <param name="position">Its position in the data, from 0.</param>
    /// <param name="weight">Its weight. Default 1; finite, at least 0.</param>
    /// <returns>The example; its <see cref="TokenExample.TargetCount"/> is 0 where the prompt alone fills the context.</returns>
    public TokenExample Encode(TextRow row, long position, double weight = 1)
    {
        // The last position's target is one token past the context, and another tells that the row was truncated: what is behind them is not encoded.
        int maximum = (int)Math.Min(contextLength + 2L, int.MaxValue);
        List<int> tokens = [tokenizer.BeginningId];
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
        CheckIds(row, position);
        List<int> tokens = row.AddBeginning ? [tokenizer.BeginningId] : [];
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

    // Both or none: there is nothing to compare a completion with where the prompt leaves the other no target.
    private void AddPair(RowContent.Pair pair, long position, Action<TokenExample> add)
    {
        TokenExample[] both = [Encode(new TextRow(pair.Prompt, pair.First), position, pair.Weight), Encode(new TextRow(pair.Prompt, pair.Second), position, pair.Weight)];
        if (pair.Kind == PairKind.Undesirable)
            both[0] = both[0].MarkUndesirable();
        if (both.All(example => example.TargetCount > 0))
            Array.ForEach(both, add);
    }

    private void AddText(TokenSplitter pieces, string prompt, string completion)
    {
        pieces.Add(tokenizer.BeginningId, isTarget: false);
        if (prompt.Length > 0)
            tokenizer.EncodeParts(prompt, part => pieces.Add(part, areTargets: false));
        tokenizer.EncodeParts(completion, part => pieces.Add(part, areTargets: true));
        pieces.Add(tokenizer.EndOfTextId, isTarget: true);
    }

    private void AddIds(TokenSplitter pieces, RowContent.TokenIds row, long position)
    {
        CheckIds(row, position);
        if (row.AddBeginning)
            pieces.Add(tokenizer.BeginningId, isTarget: false);
        pieces.Add(row.Ids, areTargets: true);
        if (row.AddEnd)
            pieces.Add(tokenizer.EndOfTextId, isTarget: true);
    }

    private void CheckIds(RowContent.TokenIds row, long position)
    {
        for (int i = 0; i < row.Ids.Length; i++)
        {
            if (row.Ids[i] < 0 || row.Ids[i] >= tokenizer.VocabularySize)
                throw new InvalidOperationException(FormattableString.Invariant(
                    $"Row {position} has the token id {row.Ids[i]} at index {i}; the vocabulary has the ids from 0 to {tokenizer.VocabularySize - 1}."));
        }
    }

    // The model reads every token but the last, and is asked for every one from the first target on.
    private TokenExample Example(List<int> tokens, int firstTarget, long position, double weight, int? wholeBytes)
    {
        int whole = Math.Max(1, tokens.Count - 1), length = Math.Min(whole, contextLength);
        int[] ids = new int[length], targets = new int[length];
        for (int t = 0; t < length; t++)
        {
            ids[t] = t < tokens.Count ? tokens[t] : tokenizer.BeginningId;
            targets[t] = t + 1 >= firstTarget && t + 1 < tokens.Count ? tokens[t + 1] : TokenExample.IgnoredTarget;
        }

        bool truncated = length < whole;
        // A truncation may fall inside a character, whose first bytes decode to nothing that has their length: bytes of tokens are counted, not decoded.
        int bytes = truncated || wholeBytes is null ? targets.Where(target => target != TokenExample.IgnoredTarget).Sum(tokenizer.ByteCount) : wholeBytes.Value;
        return new TokenExample(ids, targets, bytes, position, truncated, weight);
    }
}
