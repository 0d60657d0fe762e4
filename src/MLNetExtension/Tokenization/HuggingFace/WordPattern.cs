using System.Diagnostics;
using System.Text.RegularExpressions;
using MLNetExtension.Files;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>A pattern that splits text into words, in a time that is bounded whoever wrote it.</summary>
/// <remarks>
/// <para>The published patterns have .NET's backtracking engine, which is the fastest and linear on them. Any other has the engine that never backtracks, which gives the same matches in linear
/// time; where that engine refuses it, as it does a lookahead, the backtracking engine again. Both have a limit for one match, and one for all matches in a text: many matches that each look at
/// the rest of the text are quadratic in any engine.</para>
/// </remarks>
internal sealed class WordPattern : ITextPattern
{
    /// <summary>The chars that a pattern may have; published ones have fewer than 1,000.</summary>
    public const int MaximumLength = 4096;

    private const RegexOptions Options = RegexOptions.CultureInvariant;
    private static readonly HashSet<string> Published = [SplitPatterns.Gpt2, SplitPatterns.Llama3, SplitPatterns.Qwen2, SplitPatterns.Gpt4o, @"\p{N}", @"\p{N}+", @"\p{N}{1,3}"];

    private readonly string _pattern;
    private readonly WordPatternLimits _limits;
    private readonly Regex _regex;
    private readonly CodePointText _codePoints;

    /// <summary>Translates and compiles a pattern.</summary>
    /// <param name="pattern">The pattern, as <see cref="SplitPatterns"/> has them.</param>
    /// <param name="limits">The time that it may take; null for the default.</param>
    /// <exception cref="FormatException">The pattern is too long, or has something that .NET would read in another way; the message says what and where.</exception>
    public WordPattern(string pattern, WordPatternLimits? limits = null)
    {
        if (pattern.Length > MaximumLength)
            throw new FormatException($"the pattern {Excerpt.Of(pattern, 200)} has {pattern.Length} characters, expected at most {MaximumLength}");

        _pattern = pattern;
        _limits = limits ?? WordPatternLimits.Default;
        IsPublished = Published.Contains(pattern);
        var translator = new PatternTranslator(pattern);
        string expression = translator.Translate();
        _codePoints = CodePointText.Without(translator.Named);
        try
        {
            _regex = IsPublished ? new Regex(expression, Options | RegexOptions.Compiled) : Compile(expression, _limits.Match);
        }
        catch (RegexParseException error)
        {
            throw new FormatException($"the pattern {Excerpt.Of(pattern, 200)} is malformed: {error.Error} at {error.Offset}", error);
        }
    }

    /// <summary>The pattern as its file spells it.</summary>
    public string Pattern => _pattern;

    /// <summary>Whether the pattern is one of those that are known to be linear, and has no limit.</summary>
    public bool IsPublished { get; }

    /// <summary>Whether the pattern has the engine that never backtracks.</summary>
    public bool NeverBacktracks => _regex.Options.HasFlag(RegexOptions.NonBacktracking);

    /// <inheritdoc/>
    public bool Split(ReadOnlyMemory<char> text, MatchReader read)
    {
        if (!CodePointText.HasPairs(text.Span))
            return SplitChars(text.Span, read);

        int at = 0; // the parts come in order and without gaps
        return SplitChars(_codePoints.Create(text.Span).Span, (_, codePoints, isMatch) =>
        {
            int start = at;
            for (; codePoints > 0; codePoints--)
                at += Wtf8.CountChars(text.Span, at);

            return read(start, at - start, isMatch);
        });
    }

    private bool SplitChars(ReadOnlySpan<char> text, MatchReader read)
    {
        int end = 0;
        bool isFirst = true;
        TimeSpan spent = TimeSpan.Zero;
        Regex.ValueMatchEnumerator matches = _regex.EnumerateMatches(text);
        while (IsPublished ? matches.MoveNext() : MoveNext(ref matches, text.Length, ref spent))
        {
            ValueMatch match = matches.Current;
            // Oniguruma finds no empty match behind another match.
            if (match.Length == 0 && match.Index == end && !isFirst)
                continue;

            isFirst = false;
            if ((match.Index > end && !read(end, match.Index - end, false)) || !read(match.Index, match.Length, true))
                return false;

            end = match.Index + match.Length;
        }

        return end == text.Length || read(end, text.Length - end, false);
    }

    private bool MoveNext(ref Regex.ValueMatchEnumerator matches, int length, ref TimeSpan spent)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            bool found = matches.MoveNext();
            spent += Stopwatch.GetElapsedTime(start);
            TimeSpan limit = _limits.ForText(length);
            return spent <= limit ? found : throw CreateError(length, $"{limit.TotalSeconds} s for all matches");
        }
        catch (RegexMatchTimeoutException)
        {
            throw CreateError(length, $"{_limits.Match.TotalSeconds} s for one match");
        }
    }

    private static Regex Compile(string expression, TimeSpan limit)
    {
        try
        {
            return new Regex(expression, Options | RegexOptions.NonBacktracking, limit);
        }
        catch (NotSupportedException)
        {
            return new Regex(expression, Options | RegexOptions.Compiled, limit);
        }
    }

    private NotSupportedException CreateError(int length, FormattableString limit) => new(
        FormattableString.Invariant($"the pattern {Excerpt.Of(_pattern, 200)} takes too long on a text of {length} characters, more than ") + FormattableString.Invariant(limit));
}

/// <summary>The time that a pattern may take.</summary>
/// <param name="Match">For one match.</param>
/// <param name="Text">For all matches in a text, besides <paramref name="Character"/>.</param>
/// <param name="Character">For each character of it.</param>
internal sealed record WordPatternLimits(TimeSpan Match, TimeSpan Text, TimeSpan Character)
{
    /// <summary>Half a second for a match; for a text 0.8 seconds and 10 microseconds a character: what published patterns take at most, many times over, also on a busy machine.</summary>
    public static WordPatternLimits Default { get; } = new(TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(0.8), TimeSpan.FromMicroseconds(10));

    /// <summary>The time for all matches in a text.</summary>
    public TimeSpan ForText(int length) => Text + (Character * length);
}
