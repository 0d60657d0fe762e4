using MLNetExtension.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Losses;

[TestClass]
public sealed class DivergenceTests
{
    public static IEnumerable<object[]> Divergences => [[Divergence.ForwardKl], [Divergence.ReverseKl], [Divergence.JensenShannon(0.3)]];

    [TestMethod]
    [DynamicData(nameof(Divergences))]
    public void A_student_that_is_its_teacher_has_nothing_to_learn(object divergence)
    {
        using var scope = NewDisposeScope();
        (TokenTargets targets, Tensor gradient) = Draw(float64);
        LinearDistillation loss = new((Divergence)divergence, share: 1, temperature: 2, chunkTokens: 4);
        Tensor same = loss.Backward(targets with { Teacher = new TeacherStates(targets.Hidden, targets.HeadWeight, null) }, new TokenGradients(gradient, null, 1)).Sum;
        Assert.AreEqual(0, same.ToDouble(), 1e-13);
        Assert.IsLessThan(1e-14, gradient.abs().max().ToDouble());

        Tensor other = loss.Backward(targets with { Teacher = new TeacherStates(targets.Hidden.flip(0), targets.HeadWeight, null) }, new TokenGradients(gradient, null, 1)).Sum;
        Assert.IsGreaterThan(1, other.ToDouble(), "the control: another teacher has something to teach");
    }

    // exp(-2000) is 0 in any precision, and so is a probability's share in a product; its logarithm is not.
    [TestMethod]
    [DynamicData(nameof(Divergences))]
    public void Opposite_certainties_give_finite_losses_and_gradients(object divergence)
    {
        using var scope = NewDisposeScope();
        Tensor certain = tensor(new float[] { 2000, 0, 0 }).view(1, 3), opposite = tensor(new float[] { 0, 2000, 0 }).view(1, 3), gradient = zeros(1, 3);
        TokenTargets targets = new(certain, null, zeros(1, dtype: int64), null, 1) { Teacher = new TeacherStates(opposite, null, null) };
        double sum = new LinearDistillation((Divergence)divergence, share: 0.5, temperature: 1).Backward(targets, new TokenGradients(gradient, null, 1)).Sum.ToDouble();
        Assert.IsTrue(double.IsFinite(sum) && sum > 0, $"{sum}");
        Assert.IsTrue(gradient.isfinite().all().ToBoolean());
    }

    [TestMethod]
    [DynamicData(nameof(Divergences))]
    public void No_chunk_stays_in_memory(object divergence)
    {
        using var scope = NewDisposeScope();
        (TokenTargets targets, Tensor gradient) = Draw(float64);
        targets = targets with { Teacher = new TeacherStates(targets.Hidden, targets.HeadWeight, null) };
        int before = scope.DisposablesCount;
        new LinearDistillation((Divergence)divergence, share: 0.5, temperature: 2, chunkTokens: 1).Backward(targets, new TokenGradients(gradient, null, 1));
        // The loss sum, the correct count, and the targets as a column.
        Assert.AreEqual(3, scope.DisposablesCount - before);
    }

    // A teacher in half precision beside a student in float32: the softmax of both is taken in float32.
    [TestMethod]
    public void A_teacher_in_half_precision_gives_what_its_rounded_weights_give()
    {
        using var scope = NewDisposeScope();
        (TokenTargets targets, Tensor gradient) = Draw(float32);
        Tensor hidden = targets.Hidden.flip(0).to(bfloat16), head = targets.HeadWeight!.to(bfloat16), expected = zeros_like(gradient);
        LinearDistillation loss = new(Divergence.ForwardKl, share: 1, temperature: 1);
        double half = loss.Backward(targets with { Teacher = new TeacherStates(hidden, head, null) }, new TokenGradients(gradient, null, 1)).Sum.ToDouble();
        double whole = loss.Backward(targets with { Teacher = new TeacherStates(nn.functional.linear(hidden, head).to(float32), null, null) }, new TokenGradients(expected, null, 1)).Sum.ToDouble();
        Assert.AreEqual(whole, half, 1e-5 * whole);
        Assert.IsLessThan(1e-5, Ragged.RelativeError(gradient, expected));
    }

    private static (TokenTargets Targets, Tensor Gradient) Draw(ScalarType dtype)
    {
        Tensor hidden = randn(9, 4, generator: new Generator(1)).to(dtype), head = randn(7, 4, generator: new Generator(2)).to(dtype);
        return (new TokenTargets(hidden, head, zeros(9, dtype: int64), null, 9), zeros_like(hidden));
    }
}
