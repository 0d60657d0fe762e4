using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Splits text into words by the steps of <c>tokenizer.json</c>, one after the other.</summary>
/// <remarks>
/// ML.NET's <c>RegexPreTokenizer</c> drops what lies between matches, and its expressions count chars, not code points: an emoji before a word would
/// be split off where the model was trained with the two as one.
/// </remarks>
internal sealed class PatternPreTokenizer : PreTokenizer
{
    private readonly IReadOnlyList<ISplitStep> _steps;
    private readonly string _source;

    /// <summary>Creates a pre-tokenizer of patterns: each match is a word, and so is the text between two matches.</summary>
    /// <param name="patterns">The patterns, as <see cref="SplitPatterns"/> has them. None: a text is one word.</param>
    /// <param name="source">Where the patterns come from; begins the message of an error.</param>
    /// <param name="limits">The time that a pattern may take; null for the default.</param>
    /// <exception cref="FormatException">A pattern has something that .NET would read in another way; the message says what and where.</exception>
    public PatternPreTokenizer(IEnumerable<string> patterns, string source = TokenizerJsonReader.FileName, WordPatternLimits? limits = null)
        : this([.. patterns.Select(pattern => PatternStep.Isolating(pattern, limits))], source)
    {
    }

    /// <summary>Creates a pre-tokenizer.</summary>
    /// <param name="steps">The steps. None: a text is one word.</param>
    /// <param name="source">Where they come from; begins the message of an error.</param>
    public PatternPreTokenizer(IReadOnlyList<ISplitStep> steps, string source = TokenizerJsonReader.FileName)
    {
        _steps = steps;
        _source = source;
    }

    /// <summary>Whether the words together are the text.</summary>
    public bool KeepsText => _steps.All(step => step.KeepsText);

    /// <inheritdoc/>
    /// <remarks>Where a step changes the text, the offsets count in what it makes of it.</remarks>
    public override IEnumerable<(int Offset, int Length)> PreTokenize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var words = new List<(int Offset, int Length)>();
        Split(text.AsMemory(), isFirst: true, (word, _) =>
        {
            words.Add((words.Count == 0 ? 0 : words[^1].Offset + words[^1].Length, word.Length));
            return true;
        });
        return words;
    }

    /// <inheritdoc/>
    public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => PreTokenize(text.ToString());

    /// <summary>Finds the words of a text, one after the other, so that whoever needs only the first pays for no others.</summary>
    /// <param name="text">The text.</param>
    /// <param name="isFirst">Whether it is what a whole text begins with.</param>
    /// <param name="read">Receives the words.</param>
    /// <returns>False where <paramref name="read"/> stopped.</returns>
    /// <exception cref="NotSupportedException">A pattern takes too long for this text; the message names it and where it comes from.</exception>
    internal bool Split(ReadOnlyMemory<char> text, bool isFirst, WordReader read)
    {
        try
        {
            return Split(text, isFirst, 0, read);
        }
        catch (NotSupportedException error)
        {
            throw new NotSupportedException($"{_source}: {error.Message}.", error);
        }
    }

    private bool Split(ReadOnlyMemory<char> text, bool isFirst, int step, WordReader read)
    {
        if (text.IsEmpty)
            return true;
        if (step == _steps.Count)
            return read(text, isFirst);

        return _steps[step].Split(text, isFirst, step + 1 == _steps.Count ? read : (word, first) => Split(word, first, step + 1, read));
    }
}
