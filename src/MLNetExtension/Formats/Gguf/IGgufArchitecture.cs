using MLNetExtension.Models.Lora;

namespace MLNetExtension.Formats.Gguf;

/// <summary>A kind of network as llama.cpp computes it: what it can compute, its keys, its tensors.</summary>
internal interface IGgufArchitecture
{
    /// <summary>Its name in llama.cpp, which begins the names of its keys.</summary>
    string Name { get; }

    /// <summary>Checks that llama.cpp computes what the model does.</summary>
    /// <exception cref="NotSupportedException">It does not; the message says in what it differs.</exception>
    void Check();

    /// <summary>Adds the sizes and options.</summary>
    void AddTo(GgufMetadata metadata);

    /// <summary>Lists the tensors in the order in which they are written.</summary>
    /// <exception cref="NotSupportedException">The model has a tensor that llama.cpp does not; the message names it.</exception>
    IReadOnlyList<GgufTensor> ListTensors(MergedWeights weights);
}
