using System.Runtime.Intrinsics;
using MLNetExtension.Models.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Layers;

/// <summary>Causal attention in vectors of 512 bits, beside libtorch's in float64.</summary>
[TestClass]
public sealed class WideAttentionTests
{
    // Rows of one position, below, at and above whole blocks and tiles; heads that share keys; widths of several blocks; windows that end within a block, at its end, and after it.
    [TestMethod]
    [DataRow(2, 2, 32, null, 1.0, new long[] { 1, 7, 8, 31, 32, 33 })]
    [DataRow(1, 1, 64, null, 1.0, new long[] { 100 })]
    [DataRow(6, 2, 64, null, 0.7, new long[] { 65, 41, 128 })]
    [DataRow(4, 1, 96, null, 1.0, new long[] { 40, 97 })]
    [DataRow(3, 3, 32, 1, 1.0, new long[] { 5, 70 })]
    [DataRow(2, 1, 32, 20, 1.3, new long[] { 130, 12 })]
    [DataRow(2, 1, 64, 32, 1.0, new long[] { 130, 96 })]
    [DataRow(2, 2, 32, 33, 1.0, new long[] { 129 })]
    [DataRow(2, 2, 32, 70, 1.0, new long[] { 200, 69 })]
    public void Results_and_gradients_are_those_of_libtorch(int queries, int groups, int width, int? window, double factor, long[] rows)
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(1);
        Problem problem = Problem.Draw(generator, new HeadCounts(queries, groups, new AttentionRule(window, factor)), width, rows);
        Tensor expected = AttendInFloat64(problem, out Tensor leaf);
        expected.backward([problem.ResultGradient.to(float64)]);

        (Tensor results, Tensor gradient) = Compute(problem);

        RequireClose(expected.detach(), results, 2e-6);
        RequireClose(leaf.grad!, gradient, 1e-5);
    }

    // The law of a split: neither which rows lie beside it nor the threads change a row's result.
    [TestMethod]
    public void A_row_is_the_same_bit_for_bit_whatever_is_computed_with_it()
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(2);
        Problem together = Problem.Draw(generator, new HeadCounts(4, 2), 32, [50, 77, 9]);
        Problem alone = together with { Rows = [77], Heads = together.Heads.narrow(0, 50, 77).clone(), ResultGradient = together.ResultGradient.narrow(0, 50, 77).clone() };
        int threads = get_num_threads();
        try
        {
            set_num_threads(1);
            (Tensor result, Tensor gradient) = Compute(alone);
            set_num_threads(3);
            (Tensor results, Tensor gradients) = Compute(together);
            CollectionAssert.AreEqual(result.data<float>().ToArray(), results.narrow(0, 50, 77).data<float>().ToArray());
            CollectionAssert.AreEqual(gradient.data<float>().ToArray(), gradients.narrow(0, 50, 77).data<float>().ToArray());
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    // A training that has gone wrong must be seen to have.
    [TestMethod]
    [DataRow(0, float.NaN)]
    [DataRow(1, float.NaN)]
    [DataRow(2, float.NaN)]
    [DataRow(1, float.PositiveInfinity)]
    public void What_is_not_a_number_is_not_hidden(int head, float value)
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(3);
        Problem problem = Problem.Draw(generator, new HeadCounts(1, 1), 32, [40]);
        problem.Heads[20, head, 5] = value;
        (Tensor results, Tensor gradient) = Compute(problem);
        Assert.IsTrue(results.isfinite().logical_not().any().ToBoolean());
        Assert.IsTrue(gradient.isfinite().logical_not().any().ToBoolean());
    }

    [TestMethod]
    public void Scores_of_any_size_have_probabilities()
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(4);
        Problem problem = Problem.Draw(generator, new HeadCounts(1, 1), 32, [64]);
        problem.Heads.narrow(1, 0, 2).mul_(1e3f.ToScalar());
        Tensor expected = AttendInFloat64(problem, out _).detach();
        RequireClose(expected, Compute(problem).Results, 0.05);    // float32 rounds scores of a million to a sixteenth
    }

    [TestMethod]
    public void Powers_of_e_are_right_to_two_units_in_the_last_place()
    {
        float[] numbers = new float[16];
        for (double x = -103; x < 88; x += 0.0137)
        {
            Vector512<float> powers = WideMath.Exp(Vector512.Create((float)x));
            powers.CopyTo(numbers);
            double exact = Math.Exp((float)x);
            Assert.IsLessThanOrEqualTo(Math.Max(2 * float.Epsilon, exact * 2.5e-7), Math.Abs(numbers[3] - exact), $"e^{x}");
        }
        Assert.AreEqual(0, WideMath.Exp(Vector512.Create(float.NegativeInfinity))[0]);
        Assert.AreEqual(float.PositiveInfinity, WideMath.Exp(Vector512.Create(1000f))[0]);
        Assert.IsTrue(float.IsNaN(WideMath.Exp(Vector512.Create(float.NaN))[15]));
    }

    private static (Tensor Results, Tensor Gradient) Compute(Problem problem)
    {
        using var _ = no_grad();
        // Not initialized in use: nothing may be left as it was, and nothing read.
        Tensor results = full_like(problem.ResultGradient, double.NaN), logs = full([problem.Counts.Queries, problem.Heads.shape[0]], double.NaN), gradient = full_like(problem.Heads, double.NaN);
        WideAttention.Attend(problem.Heads, problem.Counts, problem.Rows, results, logs);
        Tensor again = empty_like(results);
        WideAttention.Attend(problem.Heads, problem.Counts, problem.Rows, again, logSums: null);
        CollectionAssert.AreEqual(results.data<float>().ToArray(), again.data<float>().ToArray(), "a pass without a backward pass");
        WideAttention.Backward(problem.Heads, problem.Counts, problem.Rows, results, logs, problem.ResultGradient, gradient);
        return (results, gradient);
    }

    private static Tensor AttendInFloat64(Problem problem, out Tensor leaf)
    {
        leaf = problem.Heads.to(float64).requires_grad_();
        HeadCounts counts = problem.Counts;
        return cat([.. leaf.split([.. problem.Rows], 0).Select(row =>
        {
            Tensor all = row.transpose(0, 1), queries = all.narrow(0, 0, counts.Queries) * (counts.Rule?.QueryFactor ?? 1);
            Tensor keys = all.narrow(0, counts.Queries, counts.Groups).repeat_interleave(counts.Shared, 0), values = all.narrow(0, counts.Queries + counts.Groups, counts.Groups).repeat_interleave(counts.Shared, 0);
            Tensor position = arange(row.shape[0]), distance = position.unsqueeze(1) - position;
            Tensor mask = distance.ge(0).logical_and(distance.lt(counts.Rule?.Window ?? int.MaxValue));
            return nn.functional.scaled_dot_product_attention(queries, keys, values, mask).transpose(0, 1).flatten(1);
        })], 0);
    }

    private static void RequireClose(Tensor expected, Tensor actual, double tolerance) =>
        Assert.IsLessThan(tolerance, ((actual.to(float64) - expected).abs().max() / expected.abs().max()).ToDouble());

    private sealed record Problem(HeadCounts Counts, IReadOnlyList<long> Rows, Tensor Heads, Tensor ResultGradient)
    {
        public static Problem Draw(Generator generator, HeadCounts counts, int width, IReadOnlyList<long> rows) => new(
            counts, rows, randn([rows.Sum(), counts.Queries + 2 * counts.Groups, width], generator: generator), randn([rows.Sum(), counts.Queries * width], generator: generator));
    }
}
