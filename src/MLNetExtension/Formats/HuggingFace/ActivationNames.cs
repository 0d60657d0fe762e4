using MLNetExtension.Models.Layers;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>The names of activations in Hugging Face's files.</summary>
internal static class ActivationNames
{
    /// <summary>Activations by name.</summary>
    public static IReadOnlyDictionary<string, Activation> All { get; } = new Dictionary<string, Activation>
    {
        ["gelu"] = Activation.Gelu,
        ["gelu_new"] = Activation.GeluTanh,
        ["gelu_pytorch_tanh"] = Activation.GeluTanh,
        ["silu"] = Activation.Silu,
        ["swish"] = Activation.Silu,
        ["relu"] = Activation.Relu,
    };

    /// <summary>Finds the name of an activation, the first where it has several.</summary>
    public static string Find(Activation activation) => All.First(pair => pair.Value == activation).Key;
}
