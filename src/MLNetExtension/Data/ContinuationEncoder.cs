using System.Globalization;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Data;

/// <summary>
/// Encodes a context with texts that may follow it, whose tokens are the targets. Both are encoded as one text, which is divided where the context's own tokens end, as lm-evaluation-harness
/// does (EleutherAI, <c>_encode_pair</c>): a space before a word belongs to the word's token. White space at the end of the context is therefore asked for with what follows it.
/// </summary>
/// <param name="tokenizer">Encodes the text.</param>
/// <param name="contextLength">Most positions of an example. Of a longer one the first tokens are left out.</param>
internal sealed class ContinuationEncoder(ILanguageTokenizer tokenizer, int contextLength)
{
    /// <summary>Encodes each of several texts after the same context.</summary>
    /// <param name="context">The context; may be empty.</param>
    /// <param name="continuations">The texts.</param>
    /// <param name="position">The row of the data that they are from, from 0.</param>
    /// <returns>An example for each text; one that does not fit with its whole context was truncated.</returns>
    /// <exception cref="InvalidDataException">A text has no token of its own, or more tokens than the model's context.</exception>
    public IReadOnlyList<TokenExample> Encode(string context, IReadOnlyList<string> continuations, long position)
    {
        string start = context.TrimEnd();
        int length = 1 + tokenizer.EncodeText(start).Count;
        string moved = context[start.Length..];
        return [.. continuations.Select((text, i) => Join([tokenizer.BeginningId, .. tokenizer.EncodeText(start + moved + text)], length, position, i))];
    }

    /// <summary>Puts texts that are encoded by themselves after a context that is encoded already, as a chat template lays them out.</summary>
    /// <param name="context">The context's ids, at least one.</param>
    /// <param name="continuations">The texts.</param>
    /// <param name="position">The row of the data that they are from, from 0.</param>
    /// <returns>As <see cref="Encode"/>.</returns>
    /// <exception cref="InvalidDataException">As from <see cref="Encode"/>.</exception>
    public IReadOnlyList<TokenExample> Append(IReadOnlyList<int> context, IReadOnlyList<string> continuations, long position) =>
        [.. continuations.Select((text, i) => Join([.. context, .. tokenizer.EncodeText(text)], context.Count, position, i))];

    // The model reads every token but the last, and is asked for those behind the context.
    private TokenExample Join(int[] tokens, int context, long position, int option)
    {
        int targets = tokens.Length - context;
        if (targets <= 0)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"Row {position}: option {option} has no token of its own behind the question."));
        if (targets > contextLength)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"Row {position}: option {option} has {targets} tokens; the model's context holds {contextLength}."));
        int whole = tokens.Length - 1, length = Math.Min(whole, contextLength), first = whole - length;
        int[] asked = tokens[(first + 1)..];
        int bytes = asked.AsSpan(length - targets).ToArray().Sum(tokenizer.ByteCount);
        asked.AsSpan(0, length - targets).Fill(TokenExample.IgnoredTarget);
        return new TokenExample(tokens[first..^1], asked, bytes, position, wasTruncated: first > 0);
    }
}
