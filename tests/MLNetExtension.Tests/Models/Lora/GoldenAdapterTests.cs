using MLNetExtension.Data;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training.Accumulation;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Lora;

/// <summary>
/// Adapters, logits and gradients that Models/Golden/make_golden.py and Golden/make_adapters.py wrote in Python, in the layout of PEFT: transposed weights, parts of joined ones, experts and their router; DoRA, PiSSA and modules
/// that are trained whole.
/// </summary>
[TestClass]
public sealed class GoldenAdapterTests
{
    // Seen to fail with Alpha / Rank where the scale is rank-stabilised, and with rows of one part given to another.
    [TestMethod]
    [DataRow("gpt2")]
    [DataRow("llama")]
    [DataRow("mixtral")]
    [DataRow("gpt2-dora")]
    [DataRow("llama-dora")]
    [DataRow("llama-pissa")]
    [DataRow("llama-pissa-dora")]
    public void Logits_with_adapters_are_those_of_an_independent_implementation(string name)
    {
        string folder = FolderOf(name);
        foreach ((ScalarType dtype, double tolerance) in new[] { (ScalarType.Float64, 1e-9), (ScalarType.Float32, 1e-5) })
        {
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            using HuggingFaceModel model = HuggingFaceModel.Load(BaseOf(name), dtype);
            Dictionary<string, Tensor> golden = GoldenLogitsTests.Read(folder);
            Assert.IsGreaterThan(0.1, Error(), "the base alone");

            LoraAdapters adapters = HuggingFaceAdapters.Load(model.Model, folder);

            Assert.IsLessThan(tolerance, Error(), $"{dtype}");
            adapters.Merge();
            Assert.IsLessThan(tolerance, Error(), $"{dtype}, merged");

            double Error() => Ragged.RelativeError(model.Model.call(golden["ids"]).to(float64), golden["logits"]);
        }
    }

    // The blocks' own backward passes, and the head's in chunks.
    [TestMethod]
    [DataRow("gpt2-dora", 1)]
    [DataRow("gpt2-dora", 2)]
    [DataRow("llama-dora", 1)]
    [DataRow("llama-dora", 2)]
    [DataRow("llama-pissa", 1)]
    [DataRow("llama-pissa-dora", 2)]
    public void Gradients_of_all_that_is_trained_are_those_of_an_independent_implementation(string name, int workers)
    {
        using var scope = NewDisposeScope();
        using HuggingFaceModel model = HuggingFaceModel.Load(BaseOf(name), ScalarType.Float64);
        Dictionary<string, Tensor> golden = GoldenLogitsTests.Read(FolderOf(name));
        LoraAdapters adapters = HuggingFaceAdapters.Load(model.Model, FolderOf(name));
        using BatchGradient gradient = new(model.Model, new GradientSettings());

        gradient.Accumulate(Ragged.Split(Rows(golden["ids"]), 1), workers);

        Dictionary<string, Tensor> expected = golden.Where(pair => pair.Key.StartsWith("gradient.", StringComparison.Ordinal)).ToDictionary(pair => pair.Key["gradient.".Length..], pair => pair.Value);
        foreach ((string tensor, Parameter parameter) in ListTrained(model.Model, adapters))
        {
            Assert.IsTrue(expected.Remove(tensor, out Tensor? values), tensor);
            Assert.IsLessThan(1e-10, Ragged.RelativeError(gradient.Parameters.GradientOf(parameter), values!), tensor);
        }
        Assert.IsEmpty(expected);
    }

    // What PiSSA takes off a weight is in the files as more columns and rows, so that they stand by themselves.
    [TestMethod]
    [DataRow("llama-pissa")]
    [DataRow("llama-pissa-dora")]
    [DataRow("gpt2-dora")]
    public void Saved_again_they_give_the_same_logits_on_the_same_base(string name)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using TemporaryFolder saved = new();
        Dictionary<string, Tensor> golden = GoldenLogitsTests.Read(FolderOf(name));
        using (HuggingFaceModel model = HuggingFaceModel.Load(BaseOf(name), ScalarType.Float64))
            HuggingFaceAdapters.Save(HuggingFaceAdapters.Load(model.Model, FolderOf(name)), saved.Path);

        using HuggingFaceModel again = HuggingFaceModel.Load(BaseOf(name), ScalarType.Float64);
        LoraAdapters adapters = HuggingFaceAdapters.Load(again.Model, saved.Path);

        Assert.IsLessThan(1e-9, Ragged.RelativeError(again.Model.call(golden["ids"]), golden["logits"]));
        Assert.AreEqual(LoraInitialization.Kaiming, adapters.Options.Initialization);
    }

    private static string FolderOf(string name) => Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Models/Lora/Golden", name);

    private static string BaseOf(string name) => Path.Combine(GoldenLogitsTests.Golden, name.Split('-')[0]);

    private static IEnumerable<TokenExample> Rows(Tensor ids)
    {
        for (int row = 0; row < ids.shape[0]; row++)
        {
            int[] tokens = [.. ids[row].data<long>().Select(id => (int)id)];
            yield return new TokenExample(tokens[..^1], tokens[1..], tokens.Length - 1, row);
        }
    }

    private static IEnumerable<(string Name, Parameter Parameter)> ListTrained(CausalLanguageModel model, LoraAdapters adapters)
    {
        foreach ((AdaptableModule module, LowRankAdapter adapter) in adapters.Attached)
        {
            yield return (module.Name + ".lora_A.weight", adapter.A);
            yield return (module.Name + ".lora_B.weight", adapter.B);
            if (adapter.Magnitude is { } magnitude)
                yield return (module.Name + ".lora_magnitude_vector", magnitude);
        }
        Dictionary<string, Parameter> parameters = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter);
        foreach (WholeTensor tensor in adapters.TrainedModules.SelectMany(module => module.Tensors).DistinctBy(tensor => tensor.Parameter))
            yield return (tensor.Name, parameters[tensor.Parameter]);
    }
}
