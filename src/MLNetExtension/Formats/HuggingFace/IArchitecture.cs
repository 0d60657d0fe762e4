using System.Text.Json.Nodes;
using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>A kind of network with its sizes: it creates the network and lists the tensors and keys of its files.</summary>
internal interface IArchitecture
{
    /// <summary>Prefixes that the names of the tensors may have; the first is the one that is written.</summary>
    IReadOnlyList<string> Prefixes { get; }

    /// <summary>The tensors of its files, in the order in which they are written. Created one by one: a damaged configuration may claim any number of layers.</summary>
    IEnumerable<HuggingFaceTensor> Tensors { get; }

    /// <summary>The parameters of the network, with their shapes, under the names of its modules. Created one by one, as <see cref="Tensors"/> are.</summary>
    IEnumerable<(string Name, long[] Shape)> Parameters { get; }

    /// <summary>Most positions of a row.</summary>
    int ContextLength { get; }

    /// <summary>V, the number of token ids.</summary>
    int VocabularySize { get; }

    /// <summary>Creates the network with uninitialized weights.</summary>
    /// <param name="dtype">Type of its weights.</param>
    CausalLanguageModel CreateModel(ScalarType dtype);

    /// <summary>Gives the same network with another dropout, wherever its configuration has a key for one.</summary>
    /// <param name="probability">Share that training zeroes, from 0 to below 1.</param>
    IArchitecture WithDropout(double probability);

    /// <summary>Whether a tensor in a file is not read: the network computes it itself, or it is of another part of the model.</summary>
    /// <param name="name">Its name without the prefix.</param>
    bool IsIgnored(string name);

    /// <summary>Whether another architecture computes the same results.</summary>
    bool IsSameAs(IArchitecture other);

    /// <summary>Sets the keys of a configuration file.</summary>
    void WriteTo(JsonObject json);
}

/// <summary>A tensor of Hugging Face's files, and the parameter of this library's network that holds its numbers.</summary>
/// <param name="Name">Its name in the files, after the prefix.</param>
/// <param name="Shape">Its shape in the files.</param>
/// <param name="Parameter">The network's parameter that holds it.</param>
/// <param name="FirstRow">The first of its rows in the parameter.</param>
/// <param name="IsPart">Whether it is only some of the parameter's rows.</param>
/// <param name="IsTransposed">Whether the files hold the transpose.</param>
/// <param name="HasPrefix">Whether its name has the prefix.</param>
/// <param name="Matrices">How many weight matrices of the same size it is: rows of the parameter that lie one after another.</param>
internal sealed record HuggingFaceTensor(
    string Name, long[] Shape, string Parameter, long FirstRow = 0, bool IsPart = false, bool IsTransposed = false, bool HasPrefix = true, int Matrices = 1)
{
    /// <summary>Lists the weight matrices that it is, in the order of the parameter's rows.</summary>
    /// <param name="prefix">What its name begins with in the files.</param>
    public IEnumerable<PublishedPart> ListParts(string prefix) => Enumerable.Repeat(new PublishedPart(prefix + Name, (IsTransposed ? Shape[^1] : Shape[0]) / Matrices), Matrices);

    /// <summary>Returns the view of the parameter that is this tensor, in the files' shape.</summary>
    /// <param name="parameters">The network's parameters.</param>
    public Tensor CreateView(IReadOnlyDictionary<string, TorchSharp.Modules.Parameter> parameters)
    {
        Tensor whole = parameters[Parameter].detach();
        return IsTransposed ? whole.t() : IsPart ? whole.narrow(0, FirstRow, Shape[0]) : whole;
    }
}
