using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models.Llama;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Lora;

/// <summary>Small models with adapters.</summary>
internal static class Adapted
{
    /// <summary>A model of a kind, by its first word.</summary>
    public static CausalLanguageModel Model(string kind, ScalarType dtype = ScalarType.Float64) => kind.Split(' ')[0] switch
    {
        "GPT-2" => Ragged.Model(dtype),
        "Llama" => TinyLlama.Make(dtype: dtype),
        "Mixtral" => TinyLlama.Make(TinyLlama.Configuration with { Experts = 3, ExpertsPerToken = 2 }, dtype),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    /// <summary>Options for a kind of adapters, by the words in it: DoRA, PiSSA, whole, int8, bf16.</summary>
    public static LoraOptions Options(string kind) => new()
    {
        UseDora = kind.Contains("DoRA", StringComparison.Ordinal),
        Initialization = kind.Contains("PiSSA", StringComparison.Ordinal) ? LoraInitialization.Pissa : LoraInitialization.Kaiming,
        BasePrecision = kind.Contains("int8", StringComparison.Ordinal) ? BasePrecision.Int8 : kind.Contains("bf16", StringComparison.Ordinal) ? BasePrecision.BFloat16 : BasePrecision.Computation,
        TrainedModules = !kind.Contains("whole", StringComparison.Ordinal) ? [] : kind.Contains("GPT-2", StringComparison.Ordinal) ? ["wte", "ln_f"] : ["embed_tokens", "lm_head"],
    };

    /// <summary>
    /// Adapters that already change what the model computes: new ones do not, and half of their gradients are zero. Where <paramref name="dense"/> is true, the base's matrices are stored whole again, with the values that
    /// rounding has left: what this library's products in tiles can be compared with.
    /// </summary>
    public static LoraAdapters Attach(CausalLanguageModel model, LoraOptions options, bool dense = false)
    {
        HuggingFaceAdapters.StoreBase(model, options, keepsValues: true);
        if (dense)
        {
            foreach (AdaptableLinear linear in model.modules().OfType<AdaptableLinear>().Where(linear => !linear.Weight.IsPlain(model.SampleWeight.dtype)).ToList())
                linear.StoreAs(model.SampleWeight.dtype, keepsValues: true);
        }
        LoraAdapters adapters = HuggingFaceAdapters.Attach(model, options, seed: 2);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Generator generator = new(9);
        foreach (Parameter parameter in model.parameters().Where(parameter => parameter.requires_grad))
            parameter.add_(empty_like(parameter).normal_(0, 0.2, generator));
        return adapters;
    }

    /// <summary>Names of frozen parameters with their bytes.</summary>
    public static Dictionary<string, byte[]> Frozen(CausalLanguageModel model) =>
        model.named_parameters().Where(pair => !pair.parameter.requires_grad).ToDictionary(pair => pair.name, pair => Bytes(pair.parameter));

    /// <summary>Names of trained parameters with their bytes.</summary>
    public static Dictionary<string, byte[]> Trained(CausalLanguageModel model) =>
        model.named_parameters().Where(pair => pair.parameter.requires_grad).ToDictionary(pair => pair.name, pair => Bytes(pair.parameter));

    public static void AssertEqual(Dictionary<string, byte[]> expected, Dictionary<string, byte[]> actual)
    {
        CollectionAssert.AreEquivalent(expected.Keys, actual.Keys);
        foreach ((string name, byte[] bytes) in expected)
            CollectionAssert.AreEqual(bytes, actual[name], name);
    }

    private static byte[] Bytes(Tensor parameter) => parameter.detach().contiguous().bytes.ToArray();
}
