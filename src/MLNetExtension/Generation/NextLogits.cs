using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Generation;

/// <summary>
/// Gives the logits of the token that follows each of some texts, again and again as they grow. What the model has read of them is kept, so that it reads each token once; where a text no longer
/// fits into the context, its last tokens that do are read anew each time. B texts, T positions, C width, V vocabulary.
/// </summary>
/// <param name="model">The model, in evaluation mode; it stays its owner's.</param>
internal sealed class NextLogits(CausalLanguageModel model) : IDisposable
{
    private KeyValueCache? _cache;

    /// <summary>Gives the logits of the next token of each text.</summary>
    /// <param name="texts">Their ids; since the last call each has grown by one.</param>
    /// <returns>[V] for each text.</returns>
    public double[][] For(IReadOnlyList<IReadOnlyList<int>> texts)
    {
        // Not inference_mode, for the reason given in RowScorer.
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Tensor last = model.CanCache ? ReadNew(texts) : cat([.. texts.Select(ReadAlone)], 0);                       // [B,1,C]
        Tensor logits = model.HeadWeight is { } head ? nn.functional.linear(last, head) : last;                    // [B,1,V]
        double[] all = logits.to(float64).cpu().data<double>().ToArray();
        return [.. all.Chunk(all.Length / texts.Count)];
    }

    /// <summary>Goes on with some of the texts.</summary>
    /// <param name="texts">Which of those of the last call, by their places in it.</param>
    public void Keep(IReadOnlyList<int> texts)
    {
        if (_cache is not { } before)
            return;
        using (before)
            _cache = texts.Count == 0 ? null : before.Select(texts);
    }

    /// <summary>Frees what is kept.</summary>
    public void Dispose() => _cache?.Dispose();

    // [B,1,C]
    private Tensor ReadNew(IReadOnlyList<IReadOnlyList<int>> texts)
    {
        if (_cache is not null && _cache.Length < model.ContextLength)
            return model.Hidden(Ids([.. texts.Select(ids => (long)ids[^1])], texts.Count), _cache);

        _cache?.Dispose();
        int longest = texts.Max(Seen);
        _cache = new KeyValueCache([.. texts.Select(ids => longest - Seen(ids))]);
        // Filled up at their left ends, so that all end together; what with does not matter.
        Tensor rows = Ids([.. texts.SelectMany(ids => Enumerable.Repeat(0L, longest - Seen(ids)).Concat(Context(ids)))], texts.Count);
        return model.Hidden(rows, _cache).narrow(1, longest - 1, 1);
    }

    // [1,1,C]
    private Tensor ReadAlone(IReadOnlyList<int> ids) => model.Hidden(Ids([.. Context(ids)], 1)).narrow(1, Seen(ids) - 1, 1);

    private Tensor Ids(long[] ids, int rows) => tensor(ids, [rows, ids.Length / rows], device: model.Device);

    private IEnumerable<long> Context(IReadOnlyList<int> ids) => ids.Skip(ids.Count - Seen(ids)).Select(id => (long)id);

    private int Seen(IReadOnlyList<int> ids) => Math.Min(ids.Count, model.ContextLength);
}
