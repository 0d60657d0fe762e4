using System.Text.Json;
using MLNetExtension.Losses;
using MLNetExtension.Tests.Repository;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Losses;

/// <summary>Every loss against Golden/make_losses.py, which computes them from the papers' equations, and their gradients by PyTorch's automatic differentiation in float64.</summary>
[TestClass]
public sealed class LossGoldenTests
{
    private static readonly Dictionary<string, Func<int, ITokenLoss>> Losses = new()
    {
        ["crossEntropy"] = chunk => new LinearCrossEntropy(chunk),
        ["crossEntropy weighted"] = chunk => new LinearCrossEntropy(chunk),
        ["smoothing"] = chunk => new LinearCrossEntropy(chunk, labelSmoothing: 0.15),
        ["smoothing zLoss capped"] = chunk => new LinearCrossEntropy(chunk, labelSmoothing: 0.15, zLoss: 0.02),
        ["dft"] = chunk => new LinearCrossEntropy(chunk, kind: LossKind.Dft),
        ["dft zLoss weighted"] = chunk => new LinearCrossEntropy(chunk, zLoss: 0.02, kind: LossKind.Dft),
        ["dft capped"] = chunk => new LinearCrossEntropy(chunk, kind: LossKind.Dft),
        ["focal"] = chunk => new LinearCrossEntropy(chunk, kind: LossKind.Focal()),
        ["focal half"] = chunk => new LinearCrossEntropy(chunk, kind: LossKind.Focal(0.5)),
        ["focal zLoss capped"] = chunk => new LinearCrossEntropy(chunk, zLoss: 0.02, kind: LossKind.Focal(2)),
        ["forward"] = chunk => new LinearDistillation(Divergence.ForwardKl, 1, 1, chunk),
        ["forward mixed"] = chunk => new LinearDistillation(Divergence.ForwardKl, 0.3, 2, chunk),
        ["forward capped"] = chunk => new LinearDistillation(Divergence.ForwardKl, 0.3, 2, chunk),
        ["forward smaller teacher"] = chunk => new LinearDistillation(Divergence.ForwardKl, 0.3, 2, chunk),
        ["reverse"] = chunk => new LinearDistillation(Divergence.ReverseKl, 1, 1, chunk),
        ["reverse mixed"] = chunk => new LinearDistillation(Divergence.ReverseKl, 0.7, 1.5, chunk),
        ["reverse smaller teacher"] = chunk => new LinearDistillation(Divergence.ReverseKl, 0.7, 1.5, chunk),
        ["jensenShannon"] = chunk => new LinearDistillation(Divergence.JensenShannon(), 1, 1, chunk),
        ["jensenShannon mixed"] = chunk => new LinearDistillation(Divergence.JensenShannon(0.2), 0.6, 0.7, chunk),
    };

    public static IEnumerable<string> Names => Losses.Keys;

    // One chunk, several with a short last one, one target a chunk; all of the gradient, or a part of it.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Loss_and_gradients_are_those_of_the_equations(string name)
    {
        foreach ((int chunk, double scale) in new[] { (100, 1.0), (8, 0.25), (1, 3.0) })
        {
            using var scope = NewDisposeScope();
            Golden golden = Golden.Read();
            GoldenCase expected = golden.Cases[name];
            TokenTargets targets = TargetsOf(golden, expected);
            TokenGradients gradients = new(zeros_like(targets.Hidden), zeros_like(targets.HeadWeight!), scale);
            LossSum loss = Losses[name](chunk).Backward(targets, gradients);

            Assert.AreEqual(expected.Sum, loss.Sum.ToDouble(), 1e-12 * expected.Sum);
            Assert.AreEqual(targets.TargetCount, loss.TargetCount);
            Assert.IsLessThan(1e-12, Ragged.RelativeError(gradients.Hidden / scale, Golden.Vector(expected.Hidden).view(gradients.Hidden.shape)), $"by the hidden states, {chunk} a chunk");
            Assert.IsLessThan(1e-12, Ragged.RelativeError(gradients.HeadWeight! / scale, Golden.Vector(expected.Head).view(gradients.HeadWeight!.shape)), $"by the head, {chunk} a chunk");
        }
    }

    // Models without a head of their own give logits, student and teacher alike: the head is applied outside, and stays as it was.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Of_logits_the_gradient_is_that_by_the_logits(string name)
    {
        using var scope = NewDisposeScope();
        Golden golden = Golden.Read();
        GoldenCase expected = golden.Cases[name];
        if (expected.Cap is not null || expected.TeacherCap is not null)
            return;    // those that give logits have capped them
        TokenTargets targets = TargetsOf(golden, expected);
        Tensor logits = nn.functional.linear(targets.Hidden, targets.HeadWeight!), before = logits.clone();
        TeacherStates? teacher = targets.Teacher is { } own ? new TeacherStates(nn.functional.linear(own.Hidden, own.HeadWeight!), null, null) : null;
        TokenGradients gradients = new(zeros_like(logits), null, 1);
        LossSum loss = Losses[name](8).Backward(targets with { Hidden = logits, HeadWeight = null, Teacher = teacher }, gradients);

        Assert.AreEqual(expected.Sum, loss.Sum.ToDouble(), 1e-12 * expected.Sum);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(gradients.Hidden.mm(targets.HeadWeight!), Golden.Vector(expected.Hidden).view(targets.Hidden.shape)));
        Assert.AreEqual(0, (logits - before).abs().max().ToDouble(), "the logits are the caller's");
    }

    // How many targets are the likeliest token does not depend on what is minimized.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Every_loss_counts_the_same_hits(string name)
    {
        using var scope = NewDisposeScope();
        Golden golden = Golden.Read();
        TokenTargets targets = TargetsOf(golden, golden.Cases[name] with { Cap = null, Weighted = false });
        LossSum loss = Losses[name](8).Backward(targets, new TokenGradients(zeros_like(targets.Hidden), null, 1));
        double hits = nn.functional.linear(targets.Hidden, targets.HeadWeight!).argmax(1).eq(targets.Targets).sum().ToDouble();
        Assert.IsTrue(hits is > 3 and < 16);
        Assert.AreEqual(hits, loss.CorrectCount!.ToDouble());
    }

    // The control: a test that took one loss for another would fail.
    [TestMethod]
    public void Every_case_gives_another_gradient()
    {
        using var scope = NewDisposeScope();
        Golden golden = Golden.Read();
        CollectionAssert.AreEquivalent(golden.Cases.Keys, Losses.Keys);
        string[] names = [.. Names];
        for (int i = 0; i < names.Length; i++)
        {
            foreach (string other in names[..i])
                Assert.IsGreaterThan(1e-3, Ragged.RelativeError(Golden.Vector(golden.Cases[names[i]].Hidden), Golden.Vector(golden.Cases[other].Hidden)), $"{names[i]} and {other}");
        }
    }

    private sealed record GoldenCase(bool Weighted, double? Cap, double? TeacherCap, int? TeacherVocabulary, double Sum, double[] Hidden, double[] Head);

    private sealed record Golden(
        int Width, int TeacherWidth, long[] Targets, double[] Hidden, double[] Head, double[] TeacherHidden, double[] TeacherHead, double[] Weights, Dictionary<string, GoldenCase> Cases)
    {
        public static Golden Read() => JsonSerializer.Deserialize<Golden>(
            File.ReadAllBytes(Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Losses/Golden/losses.json")), JsonSerializerOptions.Web)!;

        public static Tensor Vector(double[] numbers) => tensor(numbers, dtype: float64);
    }

    private static TokenTargets TargetsOf(Golden golden, GoldenCase of) => new(
        Golden.Vector(golden.Hidden).view(-1, golden.Width), Golden.Vector(golden.Head).view(-1, golden.Width), tensor(golden.Targets), of.Weighted ? Golden.Vector(golden.Weights) : null,
        of.Weighted ? golden.Weights.Sum() : golden.Targets.Length)
    {
        LogitCap = of.Cap,
        Teacher = new TeacherStates(
            Golden.Vector(golden.TeacherHidden).view(-1, golden.TeacherWidth),
            Golden.Vector(golden.TeacherHead).view(-1, golden.TeacherWidth).narrow(0, 0, of.TeacherVocabulary ?? golden.TeacherHead.Length / golden.TeacherWidth),
            of.TeacherCap),
    };
}
