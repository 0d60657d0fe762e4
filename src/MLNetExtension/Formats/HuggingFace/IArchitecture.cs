using System.Text.Json.Nodes;
using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>A kind of network with its sizes: how it is made, and what its files look like.</summary>
internal interface IArchitecture
{
    /// <summary>What the names of the network's tensors may begin with, the form that is written first.</summary>
    IReadOnlyList<string> Prefixes { get; }

    /// <summary>The tensors of its files, in the order in which they are written. Made one by one: a damaged configuration may claim any number of layers.</summary>
    IEnumerable<HuggingFaceTensor> Tensors { get; }

    /// <summary>Most positions of a row.</summary>
    int ContextLength { get; }

    /// <summary>V, the number of token ids.</summary>
    int VocabularySize { get; }

    /// <summary>Makes the network, its weights unset.</summary>
    /// <param name="dtype">Type of its weights.</param>
    CausalLanguageModel Make(ScalarType dtype);

    /// <summary>Whether a name in a file is of a tensor that a network of this kind computes anew.</summary>
    /// <param name="name">Without the prefix.</param>
    bool IsComputed(string name);

    /// <summary>Whether another architecture computes the same.</summary>
    bool IsSame(IArchitecture other);

    /// <summary>Sets the keys of a configuration file.</summary>
    void Write(JsonObject json);
}

/// <summary>A tensor of Hugging Face's files and where its numbers are in a network of ours.</summary>
/// <param name="Name">Its name in the files, after the prefix.</param>
/// <param name="Shape">Its shape in the files.</param>
/// <param name="Parameter">The network's parameter that holds it.</param>
/// <param name="FirstRow">Where in the parameter its rows begin.</param>
/// <param name="IsPart">Whether it is only some of the parameter's rows.</param>
/// <param name="IsTransposed">Whether the files hold the transpose.</param>
/// <param name="HasPrefix">Whether the prefix stands before its name.</param>
internal sealed record HuggingFaceTensor(
    string Name, long[] Shape, string Parameter, long FirstRow = 0, bool IsPart = false, bool IsTransposed = false, bool HasPrefix = true)
{
    /// <summary>Gives the view of the parameter that is this tensor, in the files' shape.</summary>
    /// <param name="parameters">The network's parameters.</param>
    public Tensor ViewOf(IReadOnlyDictionary<string, TorchSharp.Modules.Parameter> parameters)
    {
        Tensor whole = parameters[Parameter].detach();
        return IsTransposed ? whole.t() : IsPart ? whole.narrow(0, FirstRow, Shape[0]) : whole;
    }
}
