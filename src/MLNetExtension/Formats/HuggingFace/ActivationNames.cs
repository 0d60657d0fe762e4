using MLNetExtension.Models.Layers;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>Activations by the names that Hugging Face's files give them.</summary>
internal static class ActivationNames
{
    public static IReadOnlyDictionary<string, Activation> All { get; } = new Dictionary<string, Activation>
    {
        ["gelu"] = Activation.Gelu,
        ["gelu_new"] = Activation.GeluTanh,
        ["gelu_pytorch_tanh"] = Activation.GeluTanh,
        ["silu"] = Activation.Silu,
        ["swish"] = Activation.Silu,
        ["relu"] = Activation.Relu,
    };

    /// <summary>The first name of an activation.</summary>
    public static string Of(Activation activation) => All.First(pair => pair.Value == activation).Key;
}
