using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Safetensors;
using MLNetExtension.Tests.Repository;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models;

/// <summary>
/// Models and logits that Golden/make_golden.py wrote, from the papers' equations, in Python. They hold every architecture, grouped heads, sliding windows, every rotary scaling, tied and untied
/// heads, every type of stored weights, and a model in several files.
/// </summary>
[TestClass]
public sealed class GoldenLogitsTests
{
    public static IEnumerable<object[]> Names => Directory.EnumerateDirectories(Golden).Select(folder => new object[] { Path.GetFileName(folder) });

    internal static string Golden => Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Models/Golden");

    // Seen to fail, one at a time, with: a window one too narrow, heads that share the wrong keys, rotation the other way round, no layer left unrotated, weights of experts that do not sum
    // to one, a wrong coefficient in the approximation of GELU, YaRN without its temperature, a step for the blend of Llama 3's frequencies; norms after layers left out, layers without experts that have
    // them, LongRoPE's two lists of factors in each other's place, scores or logits without their cap, scores divided by a head's width, an embedding that is not scaled, factors of the weight in place of 1 + weight, one
    // rotary base for all layers, a window in all layers.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Logits_are_those_of_an_independent_implementation(string name)
    {
        foreach ((ScalarType dtype, double tolerance) in new[] { (ScalarType.Float64, 1e-9), (ScalarType.Float32, 1e-5) })
        {
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            using HuggingFaceModel loaded = HuggingFaceModel.Load(Path.Combine(Golden, name), dtype);
            Dictionary<string, Tensor> golden = Read(Path.Combine(Golden, name));
            Tensor logits = loaded.Model.call(golden["ids"]);
            Assert.AreEqual(dtype, logits.dtype);
            Assert.IsLessThan(tolerance, Ragged.RelativeError(logits.to(float64), golden["logits"]), $"{dtype}");

            using KeyValueCache cache = new();
            Tensor pieces = cat([loaded.Model.ComputeHidden(golden["ids"].narrow(1, 0, 8), cache), .. Enumerable.Range(8, 5).Select(t => loaded.Model.ComputeHidden(golden["ids"].narrow(1, t, 1), cache))], 1);
            Assert.IsLessThan(tolerance, Ragged.RelativeError(loaded.Model.ComputeLogits(pieces).to(float64), golden["logits"]), $"{dtype}, by way of the cache");
        }
    }

    // A few roundings to 8 bits; a wrong formula is off by the order of 1. Weights that are rounded first may send a token to another expert.
    [TestMethod]
    [DataRow("mistral")]
    [DataRow("qwen3-moe-sum")]
    [DataRow("phi3")]
    [DataRow("gemma2")]
    [DataRow("gemma3")]
    public void In_half_precision_weights_of_half_precision_give_nearly_the_same(string name)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using HuggingFaceModel loaded = HuggingFaceModel.Load(Path.Combine(Golden, name), ScalarType.BFloat16);
        Dictionary<string, Tensor> golden = Read(Path.Combine(Golden, name));
        Tensor logits = loaded.Model.call(golden["ids"]);
        Assert.AreEqual(ScalarType.BFloat16, logits.dtype);
        Assert.IsLessThan(0.1, Ragged.RelativeError(logits.to(float64), golden["logits"]));
    }

    [TestMethod]
    public void The_golden_files_hold_what_they_are_there_for()
    {
        string all = string.Concat(Directory.EnumerateFiles(Golden, "config.json", SearchOption.AllDirectories).Select(File.ReadAllText));
        foreach (string what in new[] { "gpt2", "llama", "mistral", "mixtral", "qwen2", "qwen3", "smollm3", "olmo2", "qwen3_moe", "phi3", "gemma2", "gemma3_text", "linear", "dynamic", "llama3", "yarn", "longrope", "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false" })
            Assert.Contains(what, all);
    }

    /// <summary>Reads ids and logits.</summary>
    internal static Dictionary<string, Tensor> Read(string folder) => ReadFile(Path.Combine(folder, "golden.safetensors"));

    /// <summary>Reads every tensor of a file.</summary>
    internal static Dictionary<string, Tensor> ReadFile(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        using FileStream stream = file.OpenRead();
        Dictionary<string, Tensor> tensors = [];
        foreach (SafetensorsEntry entry in file.Entries)
        {
            stream.Position = file.DataStart + entry.Begin;
            tensors[entry.Name] = empty(entry.Shape, dtype: entry.Type);
            TensorBytes.Read(tensors[entry.Name], entry.Type, stream);
        }
        return tensors;
    }
}
