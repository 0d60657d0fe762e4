using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Repository;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Lora;

/// <summary>Adapters and logits that Models/Golden/make_golden.py wrote in Python, in the layout of PEFT: transposed weights, parts of joined ones, experts and their router.</summary>
[TestClass]
public sealed class GoldenAdapterTests
{
    // Seen to fail with Alpha / Rank where the scale is rank-stabilised, and with rows of one part given to another.
    [TestMethod]
    [DataRow("gpt2")]
    [DataRow("llama")]
    [DataRow("mixtral")]
    public void Logits_with_adapters_are_those_of_an_independent_implementation(string name)
    {
        string folder = Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Models/Lora/Golden", name);
        foreach ((ScalarType dtype, double tolerance) in new[] { (ScalarType.Float64, 1e-9), (ScalarType.Float32, 1e-5) })
        {
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            using HuggingFaceModel model = HuggingFaceModel.Load(Path.Combine(GoldenLogitsTests.Golden, name), dtype);
            Dictionary<string, Tensor> golden = GoldenLogitsTests.Read(folder);
            Assert.IsGreaterThan(0.1, Error(), "the base alone");

            LoraAdapters adapters = HuggingFaceAdapters.Load(model.Model, folder);

            Assert.IsLessThan(tolerance, Error(), $"{dtype}");
            adapters.Merge();
            Assert.IsLessThan(tolerance, Error(), $"{dtype}, merged");

            double Error() => Ragged.RelativeError(model.Model.call(golden["ids"]).to(float64), golden["logits"]);
        }
    }
}
