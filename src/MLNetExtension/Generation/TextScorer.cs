using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Generation;

/// <summary>Scores the tokens of texts: how probable a model finds each after those before it. Any number of threads may share one. T positions, C width, V vocabulary.</summary>
/// <param name="model">The model, in evaluation mode; it stays its owner's.</param>
/// <param name="vocabularySize">How many ids its tokenizer has.</param>
internal sealed class TextScorer(CausalLanguageModel model, int vocabularySize)
{
    // Logits are in memory for so many positions at a time.
    private const int PositionsPerChunk = 32;

    // A pass over a whole text takes memory.
    private readonly SemaphoreSlim _passes = new(1);

    /// <summary>Does what <see cref="Score"/> does on a thread of the pool, one text at a time.</summary>
    public async Task<IReadOnlyList<TokenScore?>> ScoreAsync(IReadOnlyList<int> ids, int count, CancellationToken cancellationToken)
    {
        await _passes.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await Task.Run(() => Score(ids, count, cancellationToken), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _passes.Release();
        }
    }

    /// <summary>Scores every token but the first, before which there is nothing.</summary>
    /// <param name="ids">The text, from its first id; at most as many as the context has positions.</param>
    /// <param name="count">How many of the most probable tokens are listed for each; 0 or more.</param>
    /// <param name="cancellationToken">Checked between chunks.</param>
    /// <returns>One for each id; the first is null.</returns>
    public IReadOnlyList<TokenScore?> Score(IReadOnlyList<int> ids, int count, CancellationToken cancellationToken = default)
    {
        using var use = model.Lifetime.Use();
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        long[] given = [.. ids.Select(id => (long)id)];
        Tensor hidden = model.ComputeHidden(tensor(given, [1, given.Length], device: model.Device))[0];               // [T,C]
        List<TokenScore?> scores = [null];
        while (scores.Count < ids.Count)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            int first = scores.Count, length = Math.Min(PositionsPerChunk, ids.Count - first);
            Tensor before = hidden.narrow(0, first - 1, length);
            Tensor logits = model.ComputeLogits(before);                                                              // [t,V]
            double[] all = logits.to(float64).cpu().data<double>().ToArray();
            int width = all.Length / length;
            for (int i = 0; i < length; i++)
                scores.Add(TokenScore.Of(all.AsSpan(i * width, width), ids[first + i], count, vocabularySize));
        }
        return scores;
    }
}
