using MLNetExtension.Models.Layers;

namespace MLNetExtension.Models.Lora;

/// <summary>A linear layer of a model under its published name, and the rows of this library's layer that hold its weight.</summary>
/// <param name="Name">Its name in Hugging Face's files, or in the user's module.</param>
/// <param name="Linear">The layer that holds it here.</param>
/// <param name="FirstRow">Where in the layer's weight its rows begin.</param>
/// <param name="Rows">The number of its rows.</param>
/// <param name="IsTransposed">Whether its weight is stored inputs first there.</param>
internal sealed record AdaptableModule(string Name, IAdaptableLayer Linear, long FirstRow, long Rows, bool IsTransposed)
{
    /// <summary>C, the number of its inputs.</summary>
    public long Inputs => Linear.Weight.Inputs;

    /// <summary>Selects the modules that match patterns, in the model's order.</summary>
    /// <param name="modules">All modules of the model.</param>
    /// <param name="patterns">As in <see cref="LoraOptions.TargetModules"/>.</param>
    /// <exception cref="ArgumentException">A pattern matches none; the message names it and the modules there are.</exception>
    public static IReadOnlyList<AdaptableModule> Select(IReadOnlyList<AdaptableModule> modules, IReadOnlyList<string> patterns) => ModulePattern.Select(
        modules,
        module => module.Name,
        [.. patterns.Select(pattern => pattern == LoraOptions.AllLinear ? "*" : pattern)],
        pattern => new ArgumentException($"{nameof(LoraOptions.TargetModules)}: '{pattern}' names no linear layer of the model. {ListNames(modules)}", nameof(patterns)));

    /// <summary>Lists the modules' names in a sentence, for messages.</summary>
    public static string ListNames(IReadOnlyList<AdaptableModule> modules) =>
        $"There are {string.Join(", ", modules.Select(module => module.LastName).Distinct())}, as in {modules[0].Name}.";

    private string LastName => Name[(Name.LastIndexOf('.') + 1)..];
}
