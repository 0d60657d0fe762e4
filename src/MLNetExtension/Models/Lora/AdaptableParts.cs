namespace MLNetExtension.Models.Lora;

/// <summary>What of a model can be trained beside its frozen weights.</summary>
/// <param name="Linears">The linear layers that can have an adapter.</param>
/// <param name="Whole">The modules that can be trained whole.</param>
internal sealed record AdaptableParts(IReadOnlyList<AdaptableModule> Linears, IReadOnlyList<WholeModule> Whole)
{
    /// <summary>Selects what options name.</summary>
    /// <param name="options">The options.</param>
    /// <exception cref="ArgumentException">A name matches nothing, or a module is to be trained whole and to have an adapter.</exception>
    public AdaptableParts Select(LoraOptions options)
    {
        AdaptableParts selected = new(AdaptableModule.Select(Linears, options.TargetModules), WholeModule.Select(Whole, options.TrainedModules));
        HashSet<string> adapted = [.. selected.Linears.Select(module => module.Name)];
        if (selected.Whole.FirstOrDefault(module => adapted.Contains(module.Name)) is { } both)
            throw new ArgumentException($"{nameof(LoraOptions.TrainedModules)}: '{both.Name}' has an adapter by {nameof(LoraOptions.TargetModules)} too: leave it out of one of them.", nameof(options));
        return selected;
    }
}
