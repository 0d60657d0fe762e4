using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

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
    private readonly Regex[] _steps;

    /// <summary>Creates a pre-tokenizer.</summary>
    /// <param name="patterns">The patterns, as <see cref="SplitPatterns"/> has them. None: a text is one word.</param>
    /// <exception cref="FormatException">A pattern has something that .NET would read in another way; the message says what and where.</exception>
    public PatternPreTokenizer(IEnumerable<string> patterns)
    {
        ArgumentNullException.ThrowIfNull(patterns);
        _steps = [.. patterns.Select(PatternTranslator.Compile)];
    }

    /// <inheritdoc/>
    public override IEnumerable<(int Offset, int Length)> PreTokenize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return PreTokenize(text.AsSpan());
    }

    /// <inheritdoc/>
    public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text)
    {
        var words = new List<(int Offset, int Length)>();
        Split(text, words);
        return words;
    }

    /// <summary>Appends the words of a text.</summary>
    internal void Split(ReadOnlySpan<char> text, List<(int Offset, int Length)> words)
    {
        var codePoints = new CodePointText(text);
        int first = words.Count;
        Split(codePoints.Chars, 0, 0, words);
        for (int i = first; i < words.Count; i++)
        {
            int start = codePoints.GetStart(words[i].Offset);
            words[i] = (start, codePoints.GetStart(words[i].Offset + words[i].Length) - start);
        }
    }

    private void Split(ReadOnlySpan<char> text, int offset, int step, List<(int Offset, int Length)> words)
    {
        if (text.IsEmpty)
            return;

        if (step == _steps.Length)
        {
            words.Add((offset, text.Length));
            return;
        }

        int end = 0;
        foreach (ValueMatch match in _steps[step].EnumerateMatches(text))
        {
            Split(text[end..match.Index], offset + end, step + 1, words);
            Split(text.Slice(match.Index, match.Length), offset + match.Index, step + 1, words);
            end = match.Index + match.Length;
        }

        Split(text[end..], offset + end, step + 1, words);
    }
}
