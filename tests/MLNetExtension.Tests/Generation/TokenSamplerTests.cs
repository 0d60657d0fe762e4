using MLNetExtension.Data;
using MLNetExtension.Generation;

namespace MLNetExtension.Tests.Generation;

[TestClass]
public sealed class TokenSamplerTests
{
    private const int Draws = 20_000;

    // Probabilities 0.1, 0.4, 0.2, 0.3 and 0, up to a constant that must not matter.
    private static readonly double[] Logits = [Math.Log(0.1) + 3, Math.Log(0.4) + 3, Math.Log(0.2) + 3, Math.Log(0.3) + 3, double.NegativeInfinity];

    [TestMethod]
    public void Temperature_0_takes_the_most_probable_token_and_of_equals_the_first()
    {
        var sampler = new TokenSampler(new() { Temperature = 0 });

        Assert.AreEqual(1, sampler.Sample(Logits));
        Assert.AreEqual(2, sampler.Sample([1, 0, 5, 5]));
    }

    [TestMethod]
    public void Frequencies_are_the_probabilities() =>
        AssertFrequencies([0.1, 0.4, 0.2, 0.3, 0], new() { Seed = 1 });

    [TestMethod]
    public void Temperature_is_the_power_that_probabilities_are_rooted_by()
    {
        double[] roots = [.. new[] { 0.1, 0.4, 0.2, 0.3, 0 }.Select(Math.Sqrt)];
        AssertFrequencies([.. roots.Select(root => root / roots.Sum())], new() { Seed = 2, Temperature = 2 });
    }

    [TestMethod]
    public void Top_k_keeps_the_k_most_probable_renormalised()
    {
        AssertFrequencies([0, 4 / 7.0, 0, 3 / 7.0, 0], new() { Seed = 3, TopK = 2 });
        AssertFrequencies([0.1, 0.4, 0.2, 0.3, 0], new() { Seed = 4, TopK = 100 });
    }

    // Seen to fail with tokens kept beside the whole mass instead of beside the most probable token.
    [TestMethod]
    public void Min_p_keeps_what_is_probable_beside_the_most_probable()
    {
        AssertFrequencies([0, 4 / 9.0, 2 / 9.0, 3 / 9.0, 0], new() { Seed = 11, MinP = 0.49 });
        AssertFrequencies([0, 4 / 7.0, 0, 3 / 7.0, 0], new() { Seed = 12, MinP = 0.51 });
        AssertFrequencies([0, 1, 0, 0, 0], new() { Seed = 13, MinP = 1 });
        AssertFrequencies([0, 4 / 7.0, 0, 3 / 7.0, 0], new() { Seed = 14, MinP = 0.1, TopK = 2 });
    }

    [TestMethod]
    [DataRow(0.399, 1)]
    [DataRow(0.401, 2)]
    [DataRow(0.699, 2)]
    [DataRow(0.701, 3)]
    [DataRow(0.899, 3)]
    [DataRow(0.901, 4)]
    public void Top_p_keeps_the_smallest_set_that_reaches_p(double p, int size)
    {
        int[] byProbability = [1, 3, 2, 0];
        double[] probabilities = [0.1, 0.4, 0.2, 0.3, 0];
        double mass = byProbability.Take(size).Sum(id => probabilities[id]);
        AssertFrequencies(
            [.. probabilities.Select((probability, id) => byProbability.Take(size).Contains(id) ? probability / mass : 0)], new() { Seed = 5, TopP = p });
    }

    [TestMethod]
    public void A_set_that_reaches_p_exactly_is_enough()
    {
        var sampler = new TokenSampler(new() { Seed = 11, TopP = 0.5 });
        int[] drawn = [.. Enumerable.Range(0, 200).Select(_ => sampler.Sample([2, 2, 2, 2])).Distinct().Order()];
        CollectionAssert.AreEqual(new[] { 0, 1 }, drawn);
    }

    [TestMethod]
    public void Top_p_applies_to_what_top_k_has_kept() => // 4/7 alone reaches 0.5, but 0.4 would not
        AssertFrequencies([0, 1, 0, 0, 0], new() { Seed = 6, TopK = 2, TopP = 0.5 });

    [TestMethod]
    public void Top_k_of_1_and_a_tiny_top_p_are_greedy()
    {
        var random = new Random(7);
        var greedy = new TokenSampler(new() { Temperature = 0 });
        var topK = new TokenSampler(new() { TopK = 1 });
        var topP = new TokenSampler(new() { TopP = double.Epsilon });
        var cold = new TokenSampler(new() { Temperature = double.Epsilon });
        for (int i = 0; i < 200; i++)
        {
            double[] logits = [.. Enumerable.Range(0, 50).Select(_ => (double)random.Next(20))]; // ties abound
            int expected = greedy.Sample(logits);

            Assert.AreEqual(expected, topK.Sample(logits));
            Assert.AreEqual(expected, topP.Sample(logits));
            Assert.AreEqual(logits[expected], logits[cold.Sample(logits)]);
        }
    }

    [TestMethod]
    public void The_same_seed_gives_the_same_tokens_and_another_seed_others()
    {
        Assert.AreEqual(Sequence(8), Sequence(8));
        Assert.AreNotEqual(Sequence(8), Sequence(9));
        Assert.AreNotEqual(Sequence(null), Sequence(null));

        static string Sequence(int? seed)
        {
            var sampler = new TokenSampler(new() { Seed = seed });
            return string.Concat(Enumerable.Range(0, 100).Select(_ => sampler.Sample(Logits)));
        }
    }

    [TestMethod] // reference values of the published algorithm for seed 1234567
    public void The_random_numbers_are_SplitMix64()
    {
        var random = new SplitMix64(1234567);
        foreach (ulong expected in new[] { 6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL })
            Assert.AreEqual((expected >> 11) / 9007199254740992.0, random.NextDouble());
    }

    [TestMethod]
    public void Large_logits_do_not_overflow() =>
        Assert.AreEqual(1, new TokenSampler(new() { Seed = 10 }).Sample([-1e308, 1e308, 0]));

    [TestMethod]
    [DataRow(double.NaN)]
    [DataRow(double.PositiveInfinity)]
    public void A_logit_that_is_no_number_is_an_error_that_names_the_token(double logit)
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => new TokenSampler(new()).Sample([0, logit]));
        Assert.Contains("token 1", error.Message);
    }

    [TestMethod]
    public void Ruling_every_token_out_is_an_error() => Assert.ThrowsExactly<InvalidOperationException>(
        () => new TokenSampler(new()).Sample([double.NegativeInfinity, double.NegativeInfinity]));

    /// <summary>Five standard deviations: with a fixed seed a correct sampler passes always, and one off by 2 percent fails.</summary>
    private static void AssertFrequencies(double[] probabilities, GenerationOptions options)
    {
        var sampler = new TokenSampler(options);
        var counts = new int[probabilities.Length];
        for (int i = 0; i < Draws; i++)
            counts[sampler.Sample(Logits)]++;

        for (int id = 0; id < counts.Length; id++)
        {
            double p = probabilities[id];
            Assert.AreEqual(p, counts[id] / (double)Draws, 5 * Math.Sqrt(p * (1 - p) / Draws), $"token {id}");
        }
    }
}
