using Microsoft.ML;
using MLNetExtension.Tests.Models.Custom;
using static MLNetExtension.Tests.MLNet.Tiny;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Trainer;

// The random state is the process's own: no other test may draw from it meanwhile.
[TestClass]
[DoNotParallelize]
public sealed class RandomStateTests
{
    // ML.NET's own torch trainers reseed the process-wide generator.
    [TestMethod]
    [DataRow(false)]
    [DataRow(true, DisplayName = "a custom model, which draws from the global generator")]
    public void Fitting_validating_scoring_saving_and_loading_leave_the_random_state_of_the_caller_alone(bool custom)
    {
        var options = Options();
        Func<Recurrent> factory = () => new Recurrent(257, dtype: ScalarType.Float32, dropout: 0.1);
        options.Model = custom ? LanguageModel.Custom("mine", factory, contextLength: 64) : WithDropout(0.1);
        random.manual_seed(42);
        byte[] before = RandomState();

        var mlContext = new MLContext(seed: 1);
        mlContext.CausalLanguageModeling.RegisterModel("mine", factory);
        options.Validation = new() { Rows = Rows(mlContext, Texts), Interval = 1, Prompts = ["The "] };
        options.MeasureMatrixPeak = true;
        using var model = Train(mlContext, options);
        Score(mlContext, model, Rows(mlContext, Texts));
        using var archive = new MemoryStream();
        mlContext.Model.Save(model, null, archive);
        archive.Position = 0;
        ((IDisposable)mlContext.Model.Load(archive, out _)).Dispose();

        CollectionAssert.AreEqual(before, RandomState());
    }

    private static byte[] RandomState()
    {
        using var state = random.get_rng_state();
        return state.bytes.ToArray();
    }
}
