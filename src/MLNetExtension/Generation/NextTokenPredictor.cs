using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Generation;

/// <summary>
/// Predicts the next token of several texts as they grow. Keys and values are cached, so that the model reads each token once; where a text no longer fits into the context, the last tokens that
/// fit are read again each time. B texts, T positions, C width, V vocabulary.
/// </summary>
/// <param name="model">The model, in evaluation mode; it stays its owner's.</param>
internal sealed class NextTokenPredictor(CausalLanguageModel model) : IDisposable
{
    private KeyValueCache? _cache;

    /// <summary>Computes the logits of the next token of each text.</summary>
    /// <param name="texts">Their ids; each has grown by one since the last call.</param>
    /// <returns>[V] for each text.</returns>
    public double[][] Predict(IReadOnlyList<IReadOnlyList<int>> texts)
    {
        // Not inference_mode, for the reason given in RowScorer.
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Tensor last = model.CanCache ? ReadNew(texts) : cat([.. texts.Select(ReadAlone)], 0);                       // [B,1,C]
        Tensor logits = model.ComputeLogits(last);                                                                 // [B,1,V]
        double[] all = logits.to(float64).cpu().data<double>().ToArray();
        return [.. all.Chunk(all.Length / texts.Count)];
    }

    /// <summary>Continues with some of the texts.</summary>
    /// <param name="texts">The indices of those texts in the last call.</param>
    public void Keep(IReadOnlyList<int> texts)
    {
        if (_cache is not { } before)
            return;
        using (before)
            _cache = texts.Count == 0 ? null : before.Select(texts);
    }

    /// <summary>Frees the cache.</summary>
    public void Dispose() => _cache?.Dispose();

    // [B,1,C]
    private Tensor ReadNew(IReadOnlyList<IReadOnlyList<int>> texts)
    {
        bool outgrows = model.ShortRowLimit is { } limit && _cache?.Crosses(limit, 1) == true;
        if (_cache is not null && _cache.Length < model.ContextLength && !outgrows)
            return model.ComputeHidden(Ids([.. texts.Select(ids => (long)ids[^1])], texts.Count), _cache);

        _cache?.Dispose();
        int longest = texts.Max(CountVisible);
        _cache = new KeyValueCache([.. texts.Select(ids => longest - CountVisible(ids))]);
        // Padded on the left, so that all texts end at the same position; the padding's id does not matter.
        Tensor rows = Ids([.. texts.SelectMany(ids => Enumerable.Repeat(0L, longest - CountVisible(ids)).Concat(TakeVisible(ids)))], texts.Count);
        return model.ComputeHidden(rows, _cache).narrow(1, longest - 1, 1);
    }

    // [1,1,C]
    private Tensor ReadAlone(IReadOnlyList<int> ids) => model.ComputeHidden(Ids([.. TakeVisible(ids)], 1)).narrow(1, CountVisible(ids) - 1, 1);

    private Tensor Ids(long[] ids, int rows) => tensor(ids, [rows, ids.Length / rows], device: model.Device);

    private IEnumerable<long> TakeVisible(IReadOnlyList<int> ids) => ids.Skip(ids.Count - CountVisible(ids)).Select(id => (long)id);

    private int CountVisible(IReadOnlyList<int> ids) => Math.Min(ids.Count, model.ContextLength);
}
