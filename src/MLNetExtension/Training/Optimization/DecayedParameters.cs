using System.IO.Enumeration;
using System.Text.RegularExpressions;
using MLNetExtension.Models;
using TorchSharp.Modules;

namespace MLNetExtension.Training.Optimization;

/// <summary>Decides which parameters of a model weight decay acts on: by a rule, and by exclusions, both of which know parameters by the names of published files.</summary>
internal sealed partial class DecayedParameters
{
    private const string Option = $"Optimizer.{nameof(AdamWOptions.DecayExclusions)}";

    private readonly WeightDecayRule _rule;
    private readonly IReadOnlyList<string> _exclusions;
    private readonly IReadOnlyDictionary<string, IReadOnlyList<string>> _publishedNames;
    private readonly HashSet<string> _layerNorms;    // names: replicas and a change of precision have other objects

    private DecayedParameters(CausalLanguageModel model, AdamWOptions options, IReadOnlyDictionary<string, IReadOnlyList<string>> publishedNames)
    {
        (_rule, _exclusions, _publishedNames) = (options.DecayRule, options.DecayExclusions, publishedNames);
        _layerNorms = [.. model.named_modules().Where(pair => pair.module is LayerNorm).SelectMany(pair => pair.module.named_parameters(), (pair, own) => $"{pair.name}.{own.name}")];
    }

    /// <summary>Gives what says of a parameter, by its name in the model, whether it decays.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">The rule and the exclusions.</param>
    /// <param name="publishedNames">For parameters of the model, the names that they have in published files: several where the model keeps several tensors in one parameter. One that is missing
    /// goes by its name in the model.</param>
    /// <exception cref="ArgumentException">An exclusion names no parameter, or a part of one.</exception>
    public static Func<string, Parameter, bool> Create(CausalLanguageModel model, AdamWOptions options, IReadOnlyDictionary<string, IReadOnlyList<string>> publishedNames)
    {
        DecayedParameters decayed = new(model, options, publishedNames);
        decayed.CheckExclusions(model);
        return decayed.Decays;
    }

    private bool Decays(string name, Parameter parameter)
    {
        IReadOnlyList<string> names = NamesOf(name);
        bool byRule = _rule switch
        {
            WeightDecayRule.Matrices => parameter.dim() >= 2,
            WeightDecayRule.HuggingFace => !_layerNorms.Contains(name) && !names.Any(published => HuggingFaceExclusions.IsMatch(published)),
            _ => true,
        };
        return byRule && !_exclusions.Any(exclusion => names.All(published => Matches(exclusion, published)));
    }

    // A name that is misspelt, or that excludes half of what the model keeps as one, would silently change nothing. A pattern may fit nothing: lists of them serve many models.
    private void CheckExclusions(CausalLanguageModel model)
    {
        IReadOnlyList<string>[] parameters = [.. model.named_parameters().Select(p => NamesOf(p.name))];
        foreach (string exclusion in _exclusions)
        {
            if (parameters.FirstOrDefault(names => names.Any(name => Matches(exclusion, name)) && !names.All(name => Matches(exclusion, name))) is { } parts)
                throw new ArgumentException($"{Option} has '{exclusion}', which is a part of one parameter of this model: {string.Join(", ", parts)}. Exclude all of these, for instance by '*', or none.");
            if (!exclusion.Contains('*') && !parameters.Any(names => names.Any(name => Matches(exclusion, name))))
                throw new ArgumentException($"{Option} has '{exclusion}', which no parameter is called. There are for instance: {string.Join(", ", parameters.SelectMany(names => names).Take(20))}.");
        }
    }

    private IReadOnlyList<string> NamesOf(string name) => _publishedNames.TryGetValue(name, out var names) ? names : [name];

    private static bool Matches(string exclusion, string name) => FileSystemName.MatchesSimpleExpression(exclusion, name);

    // The patterns of get_decay_parameter_names in transformers' trainer.
    [GeneratedRegex(@"bias|layernorm|rmsnorm|(^|\.)norm($|\.)|_norm($|\.)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex HuggingFaceExclusions { get; }
}
