using MLNetExtension.Data;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
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

    // The blocks' own backward passes, and the head's in chunks. Seen to fail with: the factor of DoRA's rows left out on the way to the matrices, or to the input; the magnitude's gradient not divided by the norms; the bias taken
    // for a part of the product; the norms of the weight alone; PiSSA's starting product left out of the input's gradient; modules that stay frozen.
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
        AssertGradients(model.Model, adapters, golden, workers, 1e-10);
    }

    // Made by PEFT 0.21.0 (Golden/peft/make_peft.py) on bases in float32. transformers computes the rotations of a Llama in float32, whatever the model is in, and PEFT decomposes weights for PiSSA in float32,
    // which turns the singular vectors of values that lie close together.
    [TestMethod]
    [DataRow("gpt2-dora", "gpt2", 1e-10)]
    [DataRow("gpt2-dora-tied", "gpt2", 1e-10)]
    [DataRow("llama-dora", "llama", 3e-6)]
    [DataRow("llama-orthogonal", "llama", 3e-6)]
    [DataRow("llama-pissa", "llama", 2e-4)]
    [DataRow("tied-llama-dora", "llama-linear", 3e-6)]
    public void Adapters_of_PEFT_give_its_logits_and_gradients(string name, string baseName, double tolerance)
    {
        using var scope = NewDisposeScope();
        string folder = FolderOf(Path.Combine("peft", name));
        using HuggingFaceModel model = HuggingFaceModel.Load(Path.Combine(GoldenLogitsTests.Golden, baseName), ScalarType.Float32);
        model.Model.to(ScalarType.Float64);
        Dictionary<string, Tensor> golden = GoldenLogitsTests.Read(folder);
        LoraAdapters adapters = HuggingFaceAdapters.Load(model.Model, folder);
        using (no_grad())
            Assert.IsLessThan(tolerance, Ragged.RelativeError(model.Model.call(golden["ids"]), golden["logits"]));
        AssertGradients(model.Model, adapters, golden, workers: 1, tolerance);
    }

    // As above, of the same adapters, which PEFT converted to plain ones of twice the rank: with the product that it took off, and so to rounding.
    [TestMethod]
    public void PiSSA_that_PEFT_has_converted_gives_the_same_logits()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using HuggingFaceModel model = HuggingFaceModel.Load(BaseOf("llama"), ScalarType.Float64);
        Dictionary<string, Tensor> golden = GoldenLogitsTests.Read(FolderOf("peft/llama-pissa"));
        LoraAdapters adapters = HuggingFaceAdapters.Load(model.Model, FolderOf("peft/llama-pissa-converted"));
        Assert.IsLessThan(3e-6, Ragged.RelativeError(model.Model.call(golden["ids"]), golden["logits"]));
        Assert.AreEqual((6, LoraInitialization.Kaiming), (adapters.Options.Rank, adapters.Options.Initialization));
    }

    // What PiSSA takes off a weight is in the files as more columns and rows, so that they stand by themselves. Seen to fail with: B0 of the wrong sign, an alpha that does not follow the rank.
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

    private static void AssertGradients(CausalLanguageModel model, LoraAdapters adapters, Dictionary<string, Tensor> golden, int workers, double tolerance)
    {
        using BatchGradient gradient = new(model, new GradientSettings());
        gradient.Accumulate(Ragged.Split(Rows(golden["ids"]), 1), workers);

        Dictionary<string, Tensor> expected = golden.Where(pair => pair.Key.StartsWith("gradient.", StringComparison.Ordinal)).ToDictionary(pair => pair.Key["gradient.".Length..], pair => pair.Value);
        foreach ((string tensor, Parameter parameter) in ListTrained(model, adapters))
        {
            Assert.IsTrue(expected.Remove(tensor, out Tensor? values), tensor);
            Assert.IsLessThan(tolerance, Ragged.RelativeError(gradient.Parameters.GradientOf(parameter), values!), tensor);
        }
        Assert.IsEmpty(expected);
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
