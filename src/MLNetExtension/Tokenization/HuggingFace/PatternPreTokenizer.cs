using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>
/// Splits text into words by the patterns of <c>tokenizer.json</c>, one after the other: each match is a word, and so is the text between two
/// matches.
/// </summary>
/// <remarks>
/// ML.NET's <c>RegexPreTokenizer</c> drops what lies between matches, and its expressions count chars, not code points: an emoji before a word would
/// be split off where the model was trained with the two as one.
/// </remarks>
internal sealed class PatternPreTokenizer : PreTokenizer
{
    private readonly WordPattern[] _steps;
    private readonly string _source;

    /// <summary>Creates a pre-tokenizer.</summary>
    /// <param name="patterns">The patterns, as <see cref="SplitPatterns"/> has them. None: a text is one word.</param>
    /// <param name="source">Where the patterns come from; begins the message of an error.</param>
    /// <param name="limits">The time that a pattern may take; null for the default.</param>
    /// <exception cref="FormatException">A pattern has something that .NET would read in another way; the message says what and where.</exception>
    public PatternPreTokenizer(IEnumerable<string> patterns, string source = TokenizerJsonReader.FileName, WordPatternLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(patterns);
        _steps = [.. patterns.Select(pattern => new WordPattern(pattern, limits))];
        _source = source;
    }

    /// <inheritdoc/>
    public override IEnumerable<(int Offset, int Length)> PreTokenize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var words = new List<(int Offset, int Length)>();
        Split(text, 0, text.Length, (offset, length) =>
        {
            words.Add((offset, length));
            return true;
        });
        return words;
    }

    /// <inheritdoc/>
    public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => PreTokenize(text.ToString());

    /// <summary>Finds the words of a part of a text, one after the other, so that whoever needs only the first pays for no others.</summary>
    /// <param name="text">The text.</param>
    /// <param name="start">Where the part begins.</param>
    /// <param name="length">Its chars.</param>
    /// <param name="read">Receives where in the text each word begins and its length; false to stop.</param>
    /// <returns>False where <paramref name="read"/> stopped.</returns>
    /// <exception cref="NotSupportedException">A pattern takes too long for this text; the message names it and where it comes from.</exception>
    internal bool Split(string text, int start, int length, Func<int, int, bool> read)
    {
        ReadOnlyMemory<char> part = text.AsMemory(start, length);
        try
        {
            if (!CodePointText.HasPairs(part.Span))
                return Split(part, start, 0, read);

            int at = 0;
            return Split(CodePointText.Create(part.Span), 0, 0, (_, codePoints) =>
            {
                int word = at;
                for (; codePoints > 0; codePoints--)
                    at += Wtf8.CountChars(part.Span, at);

                return read(start + word, at - word);
            });
        }
        catch (NotSupportedException error)
        {
            throw new NotSupportedException($"{_source}: {error.Message}.", error);
        }
    }

    private bool Split(ReadOnlyMemory<char> text, int offset, int step, Func<int, int, bool> read) => step == _steps.Length
        ? text.IsEmpty || read(offset, text.Length)
        : _steps[step].Split(text.Span, (start, length) => Split(text.Slice(start, length), offset + start, step + 1, read));
}
