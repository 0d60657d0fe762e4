using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Generation;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tokenization.Bytes;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Generation;

/// <summary>Torch's random state belongs to the whole process, so these tests run while no others do.</summary>
[TestClass]
[DoNotParallelize]
public sealed class RandomStateTests
{
    [TestMethod] // ML.NET's own torch mapper reseeds the process
    public void Generating_and_scoring_leave_the_callers_random_state_alone()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        var generator = new TextGenerator(model, new ByteLevelTokenizer());
        TokenExample row = new TokenExampleEncoder(new ByteLevelTokenizer(), 10).Encode(new TextRow("", "text"), 0);

        double[] undisturbed = Draw(() => { });
        double[] disturbed = Draw(() =>
        {
            generator.Generate("abc", new() { Seed = 1, MaximumNewTokens = 5 });
            new RowScorer(model).Score([row]);
        });

        CollectionAssert.AreEqual(undisturbed, disturbed);
    }

    private static double[] Draw(Action between)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(11);
        double first = rand(1, dtype: float64).item<double>();
        between();
        return [first, rand(1, dtype: float64).item<double>()];
    }
}
