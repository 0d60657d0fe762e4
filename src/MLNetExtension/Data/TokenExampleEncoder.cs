using System.Text;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Data;

/// <summary>
/// Turns rows into token examples: end-of-text, prompt, completion, end-of-text. The leading end-of-text lets the first
/// token be a target too; the closing one teaches the model where a text ends. Prompt tokens are read and never asked for.
/// </summary>
/// <param name="tokenizer">Encodes prompt and completion, each by itself, so that the boundary between them is a token boundary.</param>
/// <param name="endOfText">Id of the end-of-text token.</param>
/// <param name="contextLength">Most positions of an example; what goes past it is cut off and <see cref="TokenExample.WasTruncated"/> says so.</param>
/// <param name="vocabularySize">Number of token ids, against which rows of token ids are checked. Default: not checked from above.</param>
public sealed class TokenExampleEncoder(Tokenizer tokenizer, int endOfText, int contextLength, int vocabularySize = int.MaxValue)
{
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

    /// <summary>Encodes one row of token ids, as if they were those of a text: every one of them is a target, and end-of-text stands at both ends.</summary>
    /// <param name="tokenIds">The ids, without the end-of-text at their ends.</param>
    /// <param name="position">Its position in the data, from 0.</param>
    /// <param name="weight">Its weight. Default 1; finite, at least 0.</param>
    /// <exception cref="InvalidOperationException">An id is outside the vocabulary; the message names row, id and range.</exception>
    public TokenExample Encode(IReadOnlyList<int> tokenIds, long position, double weight = 1)
    {
        for (int i = 0; i < tokenIds.Count; i++)
        {
            if (tokenIds[i] < 0 || tokenIds[i] >= vocabularySize)
                throw new InvalidOperationException(FormattableString.Invariant(
                    $"Row {position} has the token id {tokenIds[i]} at index {i}; the vocabulary has the ids from 0 to {vocabularySize - 1}."));
        }
        return Example([], tokenIds, position, weight, wholeBytes: null);
    }

    internal TokenExample Encode(RowContent row, long position) =>
        row.TokenIds is null ? Encode(row.Text, position, row.Weight) : Encode(row.TokenIds, position, row.Weight);

    private TokenExample Example(IReadOnlyList<int> prompt, IReadOnlyList<int> completion, long position, double weight, int? wholeBytes)
    {
        int whole = prompt.Count + completion.Count + 1;
        int length = Math.Min(whole, contextLength);
        int[] ids = new int[length];
        int[] targets = new int[length];
        ids[0] = endOfText;
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

        int Token(int t) => t < prompt.Count ? prompt[t] : t - prompt.Count < completion.Count ? completion[t - prompt.Count] : endOfText;
    }

    // Text is taken as it stands: a normalizer belongs into the pipeline, where one sees it.
    private IReadOnlyList<int> Encode(string text) => tokenizer.EncodeToIds(text, considerPreTokenization: true, considerNormalization: false);

    // A cut may fall inside a character, whose first bytes decode to nothing that has their length: byte tokens are counted, not decoded.
    private int BytesOf(IEnumerable<int> ids) => tokenizer is ByteLevelTokenizer
        ? ids.Count(id => id < ByteLevelTokenizer.EndOfTextId)
        : Encoding.UTF8.GetByteCount(tokenizer.Decode(ids) ?? string.Empty);
}
