using System.Text.RegularExpressions;

namespace MLNetExtension.Models.Lora;

/// <summary>A linear layer of Hugging Face's network and where it is in ours, of which it may be only some rows.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="Linear">The layer that holds it here.</param>
/// <param name="FirstRow">Where in the layer's weight its rows begin.</param>
/// <param name="Rows">The number of its rows.</param>
/// <param name="IsTransposed">Whether its weight is stored inputs first there.</param>
internal sealed record AdaptableModule(string Name, AdaptableLinear Linear, long FirstRow, long Rows, bool IsTransposed)
{
    /// <summary>Picks the modules that patterns name, in the model's order.</summary>
    /// <param name="modules">All there are.</param>
    /// <param name="patterns">As in <see cref="LoraOptions.TargetModules"/>.</param>
    /// <exception cref="ArgumentException">A pattern names none; the message says which, and what there is.</exception>
    public static IReadOnlyList<AdaptableModule> Select(IReadOnlyList<AdaptableModule> modules, IReadOnlyList<string> patterns)
    {
        HashSet<AdaptableModule> selected = [];
        foreach (string pattern in patterns)
        {
            Regex regex = new($@"(^|\.){Regex.Escape(pattern).Replace("\\*", ".*")}$", RegexOptions.CultureInvariant);
            List<AdaptableModule> named = [.. modules.Where(module => regex.IsMatch(module.Name))];
            if (named.Count == 0)
                throw new ArgumentException($"{nameof(LoraOptions.TargetModules)}: '{pattern}' names no linear layer of the model's blocks. {Known(modules)}", nameof(patterns));
            selected.UnionWith(named);
        }
        return [.. modules.Where(selected.Contains)];
    }

    /// <summary>Says what modules there are, in a sentence.</summary>
    public static string Known(IReadOnlyList<AdaptableModule> modules) =>
        $"There are {string.Join(", ", modules.Select(module => module.Name[(module.Name.LastIndexOf('.') + 1)..]).Distinct())}, as in {modules[0].Name}.";
}
