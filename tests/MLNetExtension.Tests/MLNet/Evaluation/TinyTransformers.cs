using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Evaluation;

/// <summary>A tiny model in float64 as a transformer, and what it says of a token, by a whole forward pass.</summary>
internal static class TinyTransformers
{
    public static CausalLanguageModelTransformer Create(Gpt2Model network, int? tokensTogether = null, IRankGroup? ranks = null) => new(
        new TrainedLanguageModel(network, new ByteLevelTokenizer()),
        new CausalLanguageModelTrainer.Options { Batching = new() { MaximumTokensPerMicroBatch = tokensTogether } }, training: null, ranks);

    /// <summary>The natural logarithm of the probability of the last of some ids after the others.</summary>
    public static double LogProbabilityOfLast(Gpt2Model model, IReadOnlyList<int> ids) => LogProbabilitiesOfLast(model, ids, 1)[0];

    /// <summary>The natural logarithms of the probabilities of the last ids, each after all that are before it.</summary>
    public static double[] LogProbabilitiesOfLast(Gpt2Model model, IReadOnlyList<int> ids, int count)
    {
        Assert.IsLessThanOrEqualTo(TinyModels.ContextLength, ids.Count - 1);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        Tensor logits = model.call(tensor(ids.SkipLast(1).Select(id => (long)id).ToArray(), [1, ids.Count - 1]))[0].narrow(0, ids.Count - 1 - count, count);    // [count,V]
        Tensor targets = tensor(ids.TakeLast(count).Select(id => (long)id).ToArray(), [count, 1]);
        return [.. (logits.gather(1, targets).squeeze(1) - logits.logsumexp(1)).data<double>()];
    }
}
