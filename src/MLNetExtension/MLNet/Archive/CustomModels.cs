using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.ML.Runtime;
using MLNetExtension.Tokenization;
using static TorchSharp.torch;

namespace MLNetExtension.MLNet.Archive;

/// <summary>The factories of networks of a user's own, by name, that a context may load.</summary>
internal sealed class CustomModels
{
    // A loader is given an environment inside the context; both share one component catalog.
    private static readonly ConditionalWeakTable<ComponentCatalog, CustomModels> Contexts = [];

    private readonly ConcurrentDictionary<string, Registration> _registrations = [];

    /// <summary>Finds the models of a context.</summary>
    /// <param name="environment">The context, or an environment inside it.</param>
    public static CustomModels Of(IHostEnvironment environment) => Contexts.GetOrCreateValue(environment.ComponentCatalog);

    /// <summary>Registers a factory in place of an earlier one of that name.</summary>
    public void Register(string name, Registration registration) => _registrations[name] = registration;

    /// <summary>Finds a registered factory.</summary>
    /// <exception cref="InvalidOperationException">There is none of that name.</exception>
    public Registration Find(string name) => _registrations.TryGetValue(name, out var registration) ? registration
        : throw new InvalidOperationException($"The saved model is the custom model '{name}', which is not registered in this MLContext: call mlContext.CausalLanguageModeling.RegisterModel(\"{name}\", factory) before loading it.");

    /// <param name="Factory">Creates the module.</param>
    /// <param name="Tokenizer">A tokenizer of the user's own class; null where saved models hold theirs.</param>
    internal sealed record Registration(Func<nn.Module<Tensor, Tensor>> Factory, ILanguageTokenizer? Tokenizer);
}
