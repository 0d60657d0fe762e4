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
public sealed class TokenExampleEncoder(Tokenizer tokenizer, int endOfText, int contextLength)
{
    /// <summary>Encodes one row.</summary>
    /// <param name="row">The row.</param>
    /// <param name="position">Its position in the data, from 0.</param>
    /// <returns>The example; its <see cref="TokenExample.TargetCount"/> is 0 where the prompt alone fills the context.</returns>
    public TokenExample Encode(TextRow row, long position)
    {
        IReadOnlyList<int> prompt = row.Prompt.Length == 0 ? [] : Encode(row.Prompt);
        IReadOnlyList<int> completion = Encode(row.Completion);

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
        int bytes = truncated ? BytesOf(completion.Take(Math.Max(0, length - prompt.Count))) : Encoding.UTF8.GetByteCount(row.Completion);
        return new TokenExample(ids, targets, bytes, position, truncated);

        int Token(int t) => t < prompt.Count ? prompt[t] : t - prompt.Count < completion.Count ? completion[t - prompt.Count] : endOfText;
    }

    // Text is taken as it stands: a normalizer belongs into the pipeline, where one sees it.
    private IReadOnlyList<int> Encode(string text) => tokenizer.EncodeToIds(text, considerPreTokenization: true, considerNormalization: false);

    // A cut may fall inside a character, whose first bytes decode to nothing that has their length: byte tokens are counted, not decoded.
    private int BytesOf(IEnumerable<int> ids) => tokenizer is ByteLevelTokenizer
        ? ids.Count(id => id < ByteLevelTokenizer.EndOfTextId)
        : Encoding.UTF8.GetByteCount(tokenizer.Decode(ids) ?? string.Empty);
}
