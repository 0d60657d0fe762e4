using System.Text.RegularExpressions;

namespace MLNetExtension.Tests.Repository;

/// <summary>The law rests on one division of the accumulated gradient; a second one, however well meant, breaks it without failing.</summary>
[TestClass]
public sealed partial class GradientDivisionTests
{
    [TestMethod]
    public void No_other_place_divides_a_gradient()
    {
        IReadOnlyList<SourceFile> files = SourceTree.Files("src", ".cs");
        Assert.IsTrue(files.Any(file => Home(file) && Divides(file)), "The one division was not found: the rule no longer sees it.");
        Assert.AreEqual("", string.Join('\n', files.Where(file => !Home(file) && !Clipping(file) && Divides(file)).Select(file => file.Path)));
    }

    [TestMethod]
    [DataRow("_arena.Gradients.div_(tokens);")]
    [DataRow("parameter.grad!.divide_(tokens);")]
    [DataRow("Tensor mean = torch.div(hiddenGradient, tokens);")]
    [DataRow("parameter.grad = parameter.grad / tokens;")]
    [DataRow("gradient /= tokens;")]
    [DataRow("var g = autograd.grad([loss], [w])[0] / tokens;")]
    [DataRow("arena.GradientOf(w).mul_(1.0 / tokens);")]
    [DataRow("gradients[k].mul_(tokens.reciprocal());")]
    public void A_division_of_a_gradient_is_seen(string code) => Assert.IsTrue(Divides(new SourceFile("A.cs", code)));

    [TestMethod]
    [DataRow("gradient.mul_(scale);")]
    [DataRow("double share = report.GradientNorm / 2;")]
    [DataRow("denominator = gradient.copy_(second).sqrt_().mul_(1 / correction);")]
    [DataRow("loss.div_(tokens); // the gradient / tokens")]
    public void What_divides_no_gradient_passes(string code) => Assert.IsFalse(Divides(new SourceFile("A.cs", code)));

    private static bool Home(SourceFile file) => file.Path.StartsWith("src/MLNetExtension/Training/Accumulation/", StringComparison.Ordinal);

    // Clipping scales by a quotient of two norms; it is no mean over anything.
    private static bool Clipping(SourceFile file) => file.Path == "src/MLNetExtension/Training/Optimization/GradientClipping.cs";

    private static bool Divides(SourceFile file) => Division().IsMatch(SourceTree.Code(file.Text));

    // A gradient is what is called one: grad, Gradients, hiddenGradient, GradientOf(...). It is divided as a receiver, as an argument, by an operator, or times a reciprocal.
    private const string Gradient = @"\b\w*[gG]rad(?:ient)?s?(?:Of)?\b(?:\([^()]*\)|\[[^\[\]]*\])*!?";

    [GeneratedRegex(
        $@"{Gradient}\s*\.\s*(?:true_)?div(?:ide)?_?\(" +
        $@"|\b(?:true_)?div(?:ide)?_?\(\s*[\w.]*{Gradient}\s*," +
        $@"|{Gradient}\s*/" +
        $@"|{Gradient}\s*\.\s*mul(?:tiply)?_?\([^;]*(?:/|reciprocal)")]
    private static partial Regex Division();
}
