using System.Runtime.CompilerServices;
using MLNetExtension.Models.Layers;
using MLNetExtension.Tokenization;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Custom;

/// <summary>Creates networks of a user's own: one to train, one for each further worker, one for each load.</summary>
/// <param name="Name">The name under which it is saved.</param>
/// <param name="Make">Creates a module from ids [B,T] int64 to logits [B,T,V], another one on every call.</param>
/// <param name="Tokenizer">The tokenizer of its ids.</param>
/// <param name="ContextLength">Most positions of a row.</param>
internal sealed record NetworkFactory(string Name, Func<nn.Module<Tensor, Tensor>> Make, ILanguageTokenizer Tokenizer, int ContextLength)
{
    private static readonly ConditionalWeakTable<nn.Module, NetworkFactory> Made = [];

    /// <summary>Creates a network, which belongs to no dispose scope.</summary>
    /// <param name="seed">Seed of torch's global random numbers, from which the factory draws weights.</param>
    /// <exception cref="InvalidOperationException">The module is null or not new, returns no logits, or does not suit the tokenizer or the context length.</exception>
    public CausalLanguageModel Create(long seed)
    {
        using var scope = NewDisposeScope();
        nn.Module<Tensor, Tensor> module = GlobalRandom.Run(seed, Make, out _) ?? throw new InvalidOperationException($"The factory of the custom model '{Name}' returned null.");
        if (!Made.TryAdd(module, this))
            throw new InvalidOperationException($"The factory of the custom model '{Name}' returned a module that it had returned before: it must create a new one on every call.");
        // Parameters, buffers and whatever else the module keeps outlive the caller's scope.
        scope.Detach(scope.DisposablesView);
        try
        {
            CausalLanguageModel model = module as CausalLanguageModel ?? new CustomLanguageModel(module, ContextLength);
            Check(model);
            model.Custom = new CustomNetwork(this, model, module);
            return model;
        }
        catch
        {
            module.Dispose();
            throw;
        }
    }

    private void Check(CausalLanguageModel model)
    {
        if (model.HeadWeight is { } head)
        {
            CheckParameter(model, model.TokenEmbedding, nameof(model.TokenEmbedding));
            CheckParameter(model, head, nameof(model.HeadWeight));
            CheckRandomNumbers(model);
        }
        if (model.VocabularySize < Tokenizer.VocabularySize)
            throw new InvalidOperationException($"The custom model '{Name}' has a vocabulary of {model.VocabularySize} ids, but its tokenizer needs {Tokenizer.VocabularySize}.");
        if (model.ContextLength < ContextLength)
            throw new InvalidOperationException($"The custom model '{Name}' has a context of {model.ContextLength} tokens, but Model.ContextLength is {ContextLength}.");
    }

    // A block that is run again, to recompute its activations, would draw another mask and give another gradient.
    private void CheckRandomNumbers(CausalLanguageModel model)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        bool training = model.training;
        model.train();
        GlobalRandom.Run(seed: 0, () => model.call(zeros(1, 1, dtype: int64, device: model.Device)), out bool drew);
        model.train(training);
        if (drew)
            throw new InvalidOperationException($"The custom model '{Name}' draws from torch's global random numbers in training, as nn.Dropout does: a model with parts draws from {nameof(SeededDropout)} alone.");
    }

    // Its gradient is found by the object: a wrapper made on every call, as the weight of a nn.Embedding is, would never be trained.
    private void CheckParameter(CausalLanguageModel model, Tensor weight, string property)
    {
        if (!model.parameters().Any(parameter => parameter.Handle == weight.Handle))
            throw new InvalidOperationException($"The custom model '{Name}' must return one of its parameters as {property}, the same object every time: keep it in a field of type Parameter.");
    }
}
