namespace MLNetExtension.Models.Lora;

/// <summary>A module of a model that can be trained whole beside adapters: embedding, head, norm, or another that the model does not keep with others as one.</summary>
/// <param name="Name">Its name in Hugging Face's files, or in the user's module.</param>
/// <param name="Tensors">Its weights.</param>
internal sealed record WholeModule(string Name, IReadOnlyList<WholeTensor> Tensors)
{
    /// <summary>Selects the modules that match patterns, and those that are tied to them, in the model's order.</summary>
    /// <param name="modules">All such modules of the model.</param>
    /// <param name="patterns">As in <see cref="LoraOptions.TrainedModules"/>.</param>
    /// <exception cref="ArgumentException">A pattern matches none; the message names it and some of the modules there are.</exception>
    public static IReadOnlyList<WholeModule> Select(IReadOnlyList<WholeModule> modules, IReadOnlyList<string> patterns)
    {
        IReadOnlyList<WholeModule> named = ModulePattern.Select(modules, module => module.Name, patterns, pattern => new ArgumentException(
            $"{nameof(LoraOptions.TrainedModules)}: '{pattern}' names no module of the model that can be trained whole. There are for instance {string.Join(", ", modules.Take(8).Select(module => module.Name))}.",
            nameof(patterns)));
        HashSet<string> parameters = [.. named.SelectMany(module => module.Tensors, (_, tensor) => tensor.Parameter)];
        return [.. modules.Where(module => module.Tensors.Any(tensor => parameters.Contains(tensor.Parameter)))];
    }
}

/// <summary>A weight of a module.</summary>
/// <param name="Name">Its name in Hugging Face's files, or in the user's module.</param>
/// <param name="Parameter">The name in the model of the parameter that holds it; the same for weights that are tied.</param>
/// <param name="Shape">Its shape there.</param>
/// <param name="IsTransposed">Whether it is stored inputs first there.</param>
internal sealed record WholeTensor(string Name, string Parameter, long[] Shape, bool IsTransposed);
