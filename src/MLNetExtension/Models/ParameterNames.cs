namespace MLNetExtension.Models;

/// <summary>What the parameters of a model are in published files.</summary>
/// <param name="Parts">For parameters, by their names in the model: the names and rows of what they hold, in the order of the rows. One that is missing goes by its name in the model.</param>
internal sealed record ParameterNames(IReadOnlyDictionary<string, IReadOnlyList<PublishedPart>> Parts)
{
    /// <summary>All parameters go by their names in the model.</summary>
    public static ParameterNames None { get; } = new(new Dictionary<string, IReadOnlyList<PublishedPart>>());

    /// <summary>The names of a parameter: several where it holds several tensors of the files.</summary>
    /// <param name="name">Its name in the model.</param>
    public IReadOnlyList<string> Of(string name) => Parts.TryGetValue(name, out var parts) ? [.. parts.Select(part => part.Name).Distinct()] : [name];

    /// <summary>The rows of each weight matrix in a parameter; null where it is not known to hold several.</summary>
    /// <param name="name">Its name in the model.</param>
    public IReadOnlyList<long>? MatrixRows(string name) => Parts.TryGetValue(name, out var parts) && parts.Count > 1 ? [.. parts.Select(part => part.Rows)] : null;
}

/// <summary>A weight matrix, or another tensor, in a parameter of a model.</summary>
/// <param name="Name">The name of the tensor in published files that holds it.</param>
/// <param name="Rows">How many of the parameter's rows it is.</param>
internal sealed record PublishedPart(string Name, long Rows);
