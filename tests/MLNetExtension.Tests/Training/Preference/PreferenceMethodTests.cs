using System.Text.Json;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Training.Preference;

namespace MLNetExtension.Tests.Training.Preference;

/// <summary>Losses and derivatives against Golden/make_preferences.py, which has them from the papers' equations and PyTorch's autograd in float64; and what the equations say at their ends.</summary>
[TestClass]
public sealed class PreferenceMethodTests
{
    private static readonly Dictionary<string, PreferenceMethod> Methods = new()
    {
        ["dpo"] = PreferenceMethod.Dpo(beta: 0.3),
        ["cdpo"] = PreferenceMethod.Dpo(beta: 0.3, labelSmoothing: 0.15),
        ["rpo"] = PreferenceMethod.Dpo(beta: 0.3, likelihoodWeight: 0.6),
        ["ipo"] = PreferenceMethod.Ipo(tau: 0.2),
        ["ipoSums"] = PreferenceMethod.Ipo(tau: 0.2, averageOverTokens: false),
        ["orpo"] = PreferenceMethod.Orpo(lambda: 0.4),
        ["simpo"] = PreferenceMethod.SimPo(beta: 2.2, gamma: 0.7),
        ["kto"] = PreferenceMethod.Kto(beta: 0.25, desirableWeight: 1.3, undesirableWeight: 0.7),
    };

    public static IEnumerable<string> Names => Methods.Keys;

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Losses_and_derivatives_are_those_of_the_equations(string name)
    {
        Golden golden = Golden.Read();
        double baseline = name == "kto" ? Math.Max(0, Enumerable.Range(0, golden.Policy.Length).Sum(i => golden.Weights[i] * (golden.Policy[i][1] - golden.Reference[i][1])) / golden.Weights.Sum()) : 0;
        double total = 0;
        for (int i = 0; i < golden.Policy.Length; i++)
        {
            PairTerm term = Methods[name].Evaluate(golden.Pair(i), baseline);
            total += golden.Weights[i] * term.Loss;
            double[] slopes = golden.Results[name].Slopes[i];
            Assert.AreEqual(slopes[0], golden.Weights[i] * term.FirstSlope, 1e-12 * Math.Abs(slopes[0]) + 1e-15);
            Assert.AreEqual(slopes[1], golden.Weights[i] * term.SecondSlope, 1e-12 * Math.Abs(slopes[1]) + 1e-15);
        }
        Assert.AreEqual(golden.Results[name].Total, total, 1e-12 * golden.Results[name].Total);
    }

    // The control: a test that took one method, or one coefficient, for another would fail.
    [TestMethod]
    public void Every_method_has_other_derivatives()
    {
        Golden golden = Golden.Read();
        double[][] slopes = [.. Names.Select(name => golden.Results[name].Slopes.Select(pair => pair[0]).ToArray())];
        for (int i = 0; i < slopes.Length; i++)
        {
            foreach (double[] other in slopes[..i])
                Assert.IsGreaterThan(1e-3, slopes[i].Zip(other, (a, b) => Math.Abs(a - b)).Max());
        }
    }

    // Where the model is its own reference, DPO is a coin's toss, IPO as far from its aim as that is, and KTO half of what it can lose.
    [TestMethod]
    public void A_model_that_is_its_reference_has_no_reward()
    {
        PairLikelihoods pair = new(new(-30, -30, 10), new(-5, -5, 2), IsUndesirable: false);
        Assert.AreEqual(Math.Log(2), PreferenceMethod.Dpo().Evaluate(pair, 0).Loss, 1e-15);
        Assert.AreEqual(25, PreferenceMethod.Ipo().Evaluate(pair, 0).Loss, 1e-12);
        Assert.AreEqual(0.5, PreferenceMethod.Kto().Evaluate(pair, 0).Loss, 1e-15);
        Assert.AreEqual(0, PreferenceMethod.Dpo().Evaluate(pair, 0).FirstReward);
    }

    // Checkpoints hold a method as text: one that earlier versions knew keeps what they wrote.
    [TestMethod]
    public void What_a_method_was_called_before_it_had_a_likelihood_it_is_called_still()
    {
        Assert.AreEqual("DPO (beta 0.1, label smoothing 0)", PreferenceMethod.Dpo().ToString());
        Assert.AreEqual("DPO (beta 0.1, label smoothing 0, likelihood weight 0.5)", PreferenceMethod.Dpo(likelihoodWeight: 0.5).ToString());
    }

    // Far out, exp alone would overflow, and 1 - P would be 0 or lose its digits.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Losses_and_derivatives_are_finite_far_out(string name)
    {
        foreach ((double chosen, double rejected) in new[] { (-1e-9, -1e5), (-1e5, -1e-9), (-1e-13, -1e-7), (-3e4, -3e4) })
        {
            PairTerm term = Methods[name].Evaluate(new(new(chosen, -50, 40), new(rejected, -50, 40), IsUndesirable: true), 3);
            Assert.IsTrue(double.IsFinite(term.Loss) && double.IsFinite(term.FirstSlope) && double.IsFinite(term.SecondSlope), $"{chosen} and {rejected}: {term}");
        }
    }

    // P(y_w) so near 1 that 1 - exp(mean) has no digit left: the derivative by the chosen one comes to odds(y_l).
    [TestMethod]
    public void ORPO_keeps_its_digits_where_the_chosen_completion_is_certain()
    {
        double odds = Math.Exp(-2) / (1 - Math.Exp(-2));
        PairTerm term = PreferenceMethod.Orpo(lambda: 1).Evaluate(new(new(-1e-18, 0, 1), new(-2, 0, 1), IsUndesirable: false), 0);
        Assert.AreEqual(-1 - odds, term.FirstSlope, 1e-12);
    }

    [TestMethod]
    public void Coefficients_out_of_range_are_refused_by_name()
    {
        foreach ((PreferenceMethod method, string name) in new[]
        {
            (PreferenceMethod.Dpo(beta: 0), "Method.Beta is 0"), (PreferenceMethod.Dpo(labelSmoothing: 0.5), "Method.LabelSmoothing is 0.5"), (PreferenceMethod.Dpo(likelihoodWeight: -1), "Method.LikelihoodWeight is -1"), (PreferenceMethod.Ipo(tau: -1), "Method.Tau is -1"),
            (PreferenceMethod.Orpo(double.NaN), "Method.Lambda is NaN"), (PreferenceMethod.SimPo(gamma: -1), "Method.Gamma is -1"), (PreferenceMethod.Kto(undesirableWeight: -1), "Method.UndesirableWeight is -1"),
        })
        {
            StringAssert.StartsWith(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => method.Validate("Method")).Message, name);
        }
    }

    private sealed record Golden(double[][] Policy, double[][] Reference, int[][] Tokens, double[] Weights, bool[] Desirable, Dictionary<string, Golden.Result> Results)
    {
        public static Golden Read() => JsonSerializer.Deserialize<Golden>(
            File.ReadAllBytes(Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Training/Preference/Golden/preferences.json")), JsonSerializerOptions.Web)!;

        public PairLikelihoods Pair(int i) => new(new(Policy[i][0], Reference[i][0], Tokens[i][0]), new(Policy[i][1], Reference[i][1], Tokens[i][1]), !Desirable[i]);

        internal sealed record Result(double Total, double[][] Slopes);
    }
}
