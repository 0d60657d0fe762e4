using System.Text;
using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.Vocabulary;

namespace MLNetExtension.Tests.Tokenization.HuggingFace;

[TestClass]
public sealed class WordPatternTests
{
    private static readonly WordPatternLimits Short = new(TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(50), TimeSpan.Zero);

    // On the old code the first three never ended. Seen to fail with the backtracking engine for every pattern: each is stopped after five seconds.
    [TestMethod]
    [Timeout(20_000)]
    [DataRow(@"(?:\p{L}+\s?)+!", "a", 35)]
    [DataRow(@"(?:a|aa)+c", "a", 62)]
    [DataRow(@"(?:\s*\p{N}*)*x", "1", 40)]
    [DataRow(@"(?:\p{L}+\s?)+!", "ab ", 20_000)]
    public void A_pattern_of_a_stranger_that_backtracking_never_finishes_takes_linear_time(string pattern, string unit, int count)
    {
        string text = string.Concat(Enumerable.Repeat(unit, count));
        CollectionAssert.AreEqual(new[] { (0, text.Length) }, new PatternPreTokenizer([pattern]).PreTokenize(text).ToArray());
        Assert.IsTrue(new WordPattern(pattern).NeverBacktracks);
    }

    // A lookahead needs the backtracking engine; and many matches that each look at the whole rest are quadratic in any engine.
    [TestMethod]
    [Timeout(20_000)]
    [DataRow(@"(?:a|aa)+c(?!d)", 62, "0.05 s for one match")]
    [DataRow("a[^x]*b|a", 100_000, "0.05 s for all matches")]
    public void A_pattern_that_takes_too_long_is_stopped_and_named_with_its_file(string pattern, int count, string limit)
    {
        var splitter = new PatternPreTokenizer([pattern], limits: Short);
        string message = Assert.ThrowsExactly<NotSupportedException>(() => splitter.PreTokenize(new string('a', count))).Message;
        Assert.AreEqual($"tokenizer.json: the pattern {pattern} takes too long on a text of {count} characters, more than {limit}.", message);
        Assert.AreEqual(3, splitter.PreTokenize("b c").Sum(word => word.Length));
    }

    [TestMethod]
    public void Training_names_the_option_of_a_pattern_that_takes_too_long()
    {
        var counter = new WordCounter("(?:a|aa)+c(?!d)", Short);
        Assert.StartsWith("Pattern: the pattern (?:a|aa)+c(?!d) takes too long", Assert.ThrowsExactly<NotSupportedException>(() => counter.Add(new string('a', 62))).Message);
    }

    [TestMethod]
    public void Limits_are_below_a_second_and_grow_with_the_text()
    {
        Assert.AreEqual(TimeSpan.FromSeconds(0.5), WordPatternLimits.Default.Match);
        Assert.AreEqual(TimeSpan.FromSeconds(10.8), WordPatternLimits.Default.ForText(1_000_000));
    }

    // A quadratic pattern would take minutes. Seen to fail (by the time limit) with \s*[^\S]*y in front of GPT-2's.
    [TestMethod]
    [Timeout(20_000)]
    [DataRow(SplitPatterns.Gpt2)]
    [DataRow(SplitPatterns.Llama3)]
    [DataRow(SplitPatterns.Qwen2)]
    [DataRow(SplitPatterns.Gpt4o)]
    [DataRow(@"\p{N}{1,3}")]
    public void Published_patterns_backtrack_and_are_linear_on_every_kind_of_run(string pattern)
    {
        var splitter = new PatternPreTokenizer([pattern]);
        Assert.IsTrue(new WordPattern(pattern).IsPublished);
        foreach (string unit in (string[])["a", "1", " ", "\n", " \n", "\n ", "\r\n  ", "!", " !", "'", "'s", "a ", "\t", "\u00A0", "é", "漢", "😀", "\uD800", "\u0301"])
        {
            string text = string.Concat(Enumerable.Repeat(unit, 200_000 / unit.Length));
            Assert.AreEqual(text.Length, splitter.PreTokenize(text + "x").Sum(word => word.Length) - 1);
        }
    }

    [TestMethod]
    [DataRow("[", 5000, "has 5000 characters, expected at most 4096")]
    [DataRow("(", 200, "groups nested more than 100 deep")]
    public void A_pattern_of_absurd_size_is_refused(string unit, int count, string message) =>
        Assert.Contains(message, Assert.ThrowsExactly<FormatException>(() => new WordPattern(string.Concat(Enumerable.Repeat(unit, count)))).Message);

    // The engine that never backtracks gives the match of the first alternative, and not the longest, as the others do. The last two have lookaheads.
    [TestMethod]
    [DataRow("a|ab|abc")]
    [DataRow("(?:a|ab)(?:c|bcd)?")]
    [DataRow(@"\p{L}+?")]
    [DataRow(@"\p{L}{2,3}?|\p{N}+")]
    [DataRow(@"(?:\p{L}+\s?)+!")]
    [DataRow(@"(?:\s*\p{N}*)*b")]
    [DataRow(@"(?i:ab|'d)| ?[^\s\p{L}]+")]
    [DataRow(@"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|\p{N}{1,3}|\s+")]
    [DataRow(@"\p{L}*")]
    [DataRow(@"a(?=b)|\s+(?!\S)|\p{L}+")]
    [DataRow("[A-Za-z]+|[一-龥぀-ゟ゠-ヿ]+")]
    [DataRow(@"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*")]
    [DataRow("漢|é[^漢]?|[-a]|[b-]")]
    [DataRow(SplitPatterns.Llama3)]
    public void Every_engine_gives_the_ids_of_Hugging_Face(string pattern)
    {
        using Oracle oracle = Oracle.WithPattern(pattern);
        var random = new Random(12);
        string[] units = ["a", "b", "c", "d", "A", "ab", "abc", "bcd", "'d", " ", "  ", "\n", "1", "23", "!", "é", "漢", "😀", "\u0301"];
        for (int i = 0; i < 300; i++)
            oracle.AssertEqual(string.Concat(random.GetItems(units, random.Next(30))));
    }

    [TestMethod]
    public void Words_of_several_patterns_are_those_of_each_in_turn()
    {
        var splitter = new PatternPreTokenizer([@"\p{N}", @"\p{L}{2}"]);
        const string Text = "ab1cde😀f2";
        var words = new StringBuilder();
        foreach ((int offset, int length) in splitter.PreTokenize(Text))
            words.Append(Text, offset, length).Append('|');

        Assert.AreEqual("ab|1|cd|e😀f|2|", words.ToString());
    }

    // Whoever needs the first words pays for no others.
    [TestMethod]
    public void A_reader_that_has_enough_stops_the_splitting()
    {
        int seen = 0;
        Assert.IsFalse(new PatternPreTokenizer([SplitPatterns.Gpt2]).Split("one two three four".AsMemory(), true, (_, _) => ++seen < 2));
        Assert.AreEqual(2, seen);
    }
}
