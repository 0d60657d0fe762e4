using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization.HuggingFace;

[TestClass]
public sealed class BytePairMergesTests
{
    // The two ways to merge, for short words and long ones, meet at 48 bytes. Seen to fail with: the rightmost of equal pairs of a long word merged first.
    [TestMethod]
    [DataRow("gpt2")]
    [DataRow("llama3")]
    [DataRow("qwen2")]
    public void Words_of_every_length_have_the_ids_of_Hugging_Face(string style)
    {
        using var oracle = new Oracle(Golden.Json(style));
        var random = new Random(3);
        string letters = string.Concat(Golden.Corpus.Where(char.IsAsciiLetterLower));
        for (int length = 1; length < 120; length++)
        {
            oracle.AssertEqual(letters[..length]);
            oracle.AssertEqual(string.Concat(random.GetItems("aeinrst".ToCharArray(), length)));
            oracle.AssertEqual(new string('e', length));
        }

        oracle.AssertEqual(letters + letters);
        oracle.AssertEqual(string.Concat(random.GetItems("aeinrst".ToCharArray(), 20_000)));
    }

    // On the old code this took over 20 s.
    [TestMethod]
    [Timeout(15_000)]
    public void A_word_of_400_000_letters_takes_no_quadratic_time()
    {
        var random = new Random(1);
        string word = string.Concat(random.GetItems("abcdefghijklmnopqrstuvwxyz".ToCharArray(), 400_000));
        Assert.AreEqual(word, Golden.Tokenizer("gpt2").Decode(Golden.Tokenizer("gpt2").EncodeText(word)));
    }

    // What is certain of a beginning must hold for every continuation. Random merges make chains that a change at the end runs through. The control takes all tokens
    // but the last for certain, as a margin of one token would.
    [TestMethod]
    public void Tokens_that_are_certain_stay_whatever_follows()
    {
        Assert.AreEqual((0, true), Count(CertainPieces.Count));
        Assert.IsGreaterThan(0, Count((ends, _, _, _) => ends.Count - 1).Wrong);
    }

    private static (int Wrong, bool IsUseful) Count(Func<IReadOnlyList<int>, IReadOnlyList<int>, int, Func<int, int, IReadOnlyList<int>>, int> countCertain)
    {
        int wrong = 0, certain = 0;
        for (int seed = 0; seed < 60; seed++)
        {
            var random = new Random(seed);
            BytePairModel model = RandomMerges(random);
            var merges = new BytePairMerges(model, new HashSet<int>());
            string[] tokens = [.. model.Vocabulary.OrderBy(entry => entry.Value).Select(entry => entry.Key)];
            int longest = tokens.Max(token => token.Length);
            int[] letters = [model.Vocabulary["a"], model.Vocabulary["b"], model.Vocabulary["c"]];
            int[] word = random.GetItems(letters, random.Next(20, 120));
            List<int> ids = Encode(merges, word);
            int[] cuts = [.. Enumerable.Range(word.Length - longest + 1, longest).Where(cut => cut > 0)];
            int count = countCertain(Ends(ids, 0), cuts, longest, (from, to) => Ends(Encode(merges, word[from..to]), from));
            certain += count;
            for (int i = 0; i < 20; i++)
            {
                List<int> longer = Encode(merges, [.. word, .. random.GetItems(letters, random.Next(1, 30))]);
                wrong += longer.Take(count).SequenceEqual(ids.Take(count)) ? 0 : 1;
            }

            List<int> Ends(List<int> found, int start) => [.. found.Select(id => start += tokens[id].Length)];
        }

        return (wrong, certain > 500);
    }

    private static List<int> Encode(BytePairMerges merges, int[] symbols)
    {
        var ids = new List<int>();
        merges.Encode(symbols, ids);
        return ids;
    }

    private static BytePairModel RandomMerges(Random random)
    {
        Dictionary<string, int> vocabulary = ByteAlphabet.Ordered.Select((character, id) => (character, id)).ToDictionary(entry => entry.character.ToString(), entry => entry.id);
        var merges = new List<(string, string)>();
        List<string> known = ["a", "b", "c"];
        while (merges.Count < 12)
        {
            (string left, string right) = (known[random.Next(known.Count)], known[random.Next(known.Count)]);
            if (left.Length + right.Length > 6 || !vocabulary.TryAdd(left + right, vocabulary.Count))
                continue;

            known.Add(left + right);
            merges.Add((left, right));
        }

        // A file may give any order, also one in which a token's parts are merged later than the token.
        (string, string)[] shuffled = [.. merges];
        random.Shuffle(shuffled);
        return new BytePairModel { Vocabulary = vocabulary, Merges = shuffled };
    }
}
