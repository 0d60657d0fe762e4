using System.Text.Json;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using TorchSharp.Modules;
using static TorchSharp.torch;
using OptimizerOptions = MLNetExtension.Training.Optimization.OptimizerOptions;

namespace MLNetExtension.Tests.Training.Optimization;

/// <summary>Seven steps of every optimizer against Golden/make_optimizers.py, which computes them from the papers' equations, parameter by parameter, in NumPy's float64.</summary>
[TestClass]
public sealed class OptimizerGoldenTests
{
    private static readonly Dictionary<string, OptimizerOptions> Optimizers = new()
    {
        ["adamW"] = new AdamWOptions(),
        ["adamW8"] = new AdamWOptions { StateBits = 8 },
        ["lion"] = new LionOptions(),
        ["sgd"] = new SgdOptions(),
        ["nesterov"] = new SgdOptions { Nesterov = true },
        ["muon"] = new MuonOptions(),
        ["adafactor"] = new AdafactorOptions(),
    };

    public static IEnumerable<string> Names => Optimizers.Keys;

    // Seen to fail with: Muon's factor of the smaller side; Nesterov's momentum without the gradient; Adafactor's columns divided by their mean; Lion's momentum moved before the update.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Seven_steps_give_the_weights_of_the_equations(string name)
    {
        using var scope = NewDisposeScope();
        Golden golden = Golden.Read();
        (string Name, Parameter Parameter)[] named = [.. golden.Shapes.Select(pair => (pair.Key, nn.Parameter(Vector(golden.Start[pair.Key]).view(pair.Value))))];
        using FlatParameters parameters = new(named);
        using FlatOptimizer optimizer = new(parameters, Optimizers[name] with { WeightDecay = golden.Decay });
        foreach (Dictionary<string, double[]> gradient in golden.Gradients)
        {
            foreach ((string parameter, Parameter of) in named)
                parameters.GradientOf(of).copy_(Vector(gradient[parameter]).view(of.shape));
            optimizer.Step(golden.Rate);
        }

        foreach ((string parameter, Parameter of) in named)
            Assert.IsLessThan(1e-12, Ragged.RelativeError(of.detach().flatten(), Vector(golden.Results[name][parameter])), parameter);
    }

    // The control: a test that took one optimizer for another would fail.
    [TestMethod]
    public void Every_optimizer_gives_other_weights()
    {
        using var scope = NewDisposeScope();
        Golden golden = Golden.Read();
        string[] names = [.. Names];
        for (int i = 0; i < names.Length; i++)
        {
            foreach (string other in names[..i])
                Assert.IsGreaterThan(1e-4, Ragged.RelativeError(Vector(golden.Results[names[i]]["wide"]), Vector(golden.Results[other]["wide"])), $"{names[i]} and {other}");
        }
    }

    private static Tensor Vector(double[] numbers) => tensor(numbers, dtype: float64);

    private sealed record Golden(
        double Rate, double Decay, Dictionary<string, long[]> Shapes, Dictionary<string, double[]> Start, Dictionary<string, double[]>[] Gradients,
        Dictionary<string, Dictionary<string, double[]>> Results)
    {
        public static Golden Read() => JsonSerializer.Deserialize<Golden>(
            File.ReadAllBytes(Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Training/Optimization/Golden/optimizers.json")), JsonSerializerOptions.Web)!;
    }
}
