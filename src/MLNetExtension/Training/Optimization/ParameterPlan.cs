using System.IO.Enumeration;
using System.Text.RegularExpressions;
using MLNetExtension.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization;

/// <summary>Decides how each parameter of a model is updated: by its group, by the rule for weight decay and by exclusions, all of which know parameters by the names of published files.</summary>
internal sealed partial class ParameterPlan
{
    private readonly OptimizerOptions _options;
    private readonly ParameterNames _published;
    private readonly HashSet<string> _layerNorms, _embeddings, _heads;    // names: replicas and a change of precision have other objects

    private ParameterPlan(CausalLanguageModel model, OptimizerOptions options, ParameterNames published)
    {
        (_options, _published) = (options, published);
        _layerNorms = NamesIn(model, module => module is LayerNorm);
        _embeddings = [.. NamesIn(model, module => module is Embedding), .. NamesOf(model, model.EmbeddingTables)];
        // A plain module does not say which its head is: what gives a number for every token.
        IEnumerable<Tensor> heads = model.HeadWeight is { } head ? [head] : model.parameters().Where(parameter => parameter.dim() == 2 && parameter.shape[0] == model.VocabularySize);
        _heads = NamesOf(model, heads);
    }

    /// <summary>Makes the plan of a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">Rule, exclusions and groups.</param>
    /// <param name="published">What the parameters are in published files.</param>
    /// <exception cref="ArgumentException">An exclusion or a group names no parameter, or a part of one.</exception>
    public static ParameterPlan Create(CausalLanguageModel model, OptimizerOptions options, ParameterNames? published = null)
    {
        ParameterPlan plan = new(model, options, published ?? ParameterNames.None);
        plan.CheckNames(model, nameof(OptimizerOptions.DecayExclusions), options.DecayExclusions);
        for (int i = 0; i < options.Groups.Count; i++)
            plan.CheckNames(model, $"{nameof(OptimizerOptions.Groups)}[{i}].{nameof(ParameterGroup.Names)}", options.Groups[i].Names);
        return plan;
    }

    /// <summary>Whether weight decay acts on a parameter.</summary>
    /// <param name="name">Its name in the model.</param>
    /// <param name="parameter">The parameter.</param>
    public bool Decays(string name, Parameter parameter) => FindGroup(name)?.WeightDecay is { } own ? own > 0 : DecaysByRule(name, parameter);

    /// <summary>The weight decay that a parameter has of its own, by its group; null where it has the optimizer's, if it decays.</summary>
    /// <param name="name">Its name in the model.</param>
    public double? OwnWeightDecay(string name) => FindGroup(name)?.WeightDecay;

    /// <summary>What the learning rate of a parameter is multiplied by.</summary>
    /// <param name="name">Its name in the model.</param>
    public double LearningRateFactor(string name) => FindGroup(name)?.LearningRateFactor ?? 1;

    /// <summary>The rows of each weight matrix in a parameter; null for a parameter that is none, or is an embedding or a head.</summary>
    /// <param name="name">Its name in the model.</param>
    /// <param name="shape">Its shape.</param>
    public IReadOnlyList<long>? MatrixRows(string name, long[] shape) =>
        shape.Length < 2 || _embeddings.Contains(name) || _heads.Contains(name) ? null : _published.MatrixRows(name) ?? WholeMatrix(shape);

    /// <summary>Freezes the parameters of frozen groups.</summary>
    /// <param name="model">The model.</param>
    /// <returns>Disposing of it lets them be trained again.</returns>
    public IDisposable Freeze(CausalLanguageModel model)
    {
        Parameter[] frozen = [.. model.named_parameters().Where(p => p.parameter.requires_grad && FindGroup(p.name)?.IsFrozen == true).Select(p => p.parameter)];
        foreach (Parameter parameter in frozen)
            parameter.requires_grad = false;
        return new Thaw(frozen);
    }

    /// <summary>A parameter as one matrix, of the columns of its last dimension.</summary>
    internal static IReadOnlyList<long> WholeMatrix(long[] shape) => [shape[..^1].Aggregate(1L, (product, size) => product * size)];

    private bool DecaysByRule(string name, Parameter parameter)
    {
        bool byRule = _options.DecayRule switch
        {
            WeightDecayRule.LinearWeights => parameter.dim() >= 2 && !_embeddings.Contains(name),
            WeightDecayRule.Matrices => parameter.dim() >= 2,
            WeightDecayRule.HuggingFace => !_layerNorms.Contains(name) && !_published.Of(name).Any(published => HuggingFaceExclusions.IsMatch(published)),
            _ => true,
        };
        return byRule && !_options.DecayExclusions.Any(exclusion => Fits(exclusion, name));
    }

    private ParameterGroup? FindGroup(string name) => _options.Groups.FirstOrDefault(group => group.Names.Any(pattern => Fits(pattern, name)));

    private bool Fits(string pattern, string name) => _published.Of(name).All(published => Matches(pattern, published));

    // A name that is misspelt, or that is half of what the model keeps as one, would silently change nothing. A pattern may fit nothing: lists of them serve many models.
    private void CheckNames(CausalLanguageModel model, string option, IReadOnlyList<string> patterns)
    {
        option = $"Optimizer.{option}";
        IReadOnlyList<string>[] parameters = [.. model.named_parameters().Select(p => _published.Of(p.name))];
        foreach (string pattern in patterns)
        {
            if (parameters.FirstOrDefault(names => names.Any(name => Matches(pattern, name)) && !names.All(name => Matches(pattern, name))) is { } parts)
                throw new ArgumentException($"{option} has '{pattern}', which is a part of one parameter of this model: {string.Join(", ", parts)}. Name all of these, for instance by '*', or none.");
            if (!pattern.Contains('*') && !parameters.Any(names => names.Any(name => Matches(pattern, name))))
                throw new ArgumentException($"{option} has '{pattern}', which no parameter is called. There are for instance: {string.Join(", ", parameters.SelectMany(names => names).Take(20))}.");
        }
    }

    private static bool Matches(string pattern, string name) => FileSystemName.MatchesSimpleExpression(pattern, name);

    private static HashSet<string> NamesIn(CausalLanguageModel model, Func<nn.Module, bool> picks) =>
        [.. model.named_modules().Where(pair => picks(pair.module)).SelectMany(pair => pair.module.named_parameters(), (pair, own) => $"{pair.name}.{own.name}")];

    private static HashSet<string> NamesOf(CausalLanguageModel model, IEnumerable<Tensor> tensors)
    {
        HashSet<nint> handles = [.. tensors.Select(tensor => tensor.Handle)];
        return [.. model.named_parameters().Where(p => handles.Contains(p.parameter.Handle)).Select(p => p.name)];
    }

    // The patterns of get_decay_parameter_names in transformers' trainer.
    [GeneratedRegex(@"bias|layernorm|rmsnorm|(^|\.)norm($|\.)|_norm($|\.)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex HuggingFaceExclusions { get; }

    private sealed class Thaw(IReadOnlyList<Parameter> frozen) : IDisposable
    {
        public void Dispose()
        {
            // A parameter that has moved on to another precision is disposed of.
            foreach (Parameter parameter in frozen.Where(parameter => !parameter.IsInvalid))
                parameter.requires_grad = true;
        }
    }
}
