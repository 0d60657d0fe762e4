using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Generation;

/// <summary>
/// Predicts the next token of several texts as they grow. Texts may join and leave between two calls, and none changes what another gets. Keys and values are cached, so that the model reads each
/// token once; where a text no longer fits into the context, the last tokens that fit are read again each time. B texts, T positions, C width, V vocabulary.
/// </summary>
/// <param name="model">The model, in evaluation mode; it stays its owner's.</param>
internal sealed class NextTokenPredictor(CausalLanguageModel model) : IDisposable
{
    private KeyValueCache? _cache;
    private IReadOnlyList<IReadOnlyList<int>> _cached = [];     // the texts of the cache's rows, in their order

    /// <summary>Computes the logits of the next token of each text.</summary>
    /// <param name="texts">Their ids. A list that was in the last call has grown by one since then; one that was in it and is not in this one has left. Those that stay come first, in their order.</param>
    /// <returns>[V] for each text.</returns>
    /// <exception cref="InvalidOperationException">The model is in training mode.</exception>
    public double[][] Predict(IReadOnlyList<IReadOnlyList<int>> texts)
    {
        if (model.training)
            throw new InvalidOperationException("The model is in training mode, where dropout would disturb it. Call eval() on it before generating text.");
        // Not inference_mode, for the reason given in RowScorer.
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Tensor last = model.CanCache ? ReadNew(texts) : cat([.. texts.Select(ReadAlone)], 0);                       // [B,1,C]
        Tensor logits = model.ComputeLogits(last);                                                                 // [B,1,V]
        double[] all = logits.to(float64).cpu().data<double>().ToArray();
        return [.. all.Chunk(all.Length / texts.Count)];
    }

    /// <summary>Frees the cache.</summary>
    public void Dispose() => _cache?.Dispose();

    // [B,1,C]
    private Tensor ReadNew(IReadOnlyList<IReadOnlyList<int>> texts)
    {
        KeepRows(texts);
        int kept = _cached.Count;
        List<Tensor> hidden = [];
        if (kept > 0)
            hidden.Add(model.ComputeHidden(Ids([.. texts.Take(kept).Select(ids => (long)ids[^1])], kept), _cache!));
        if (kept < texts.Count)
            hidden.Add(ReadWhole([.. texts.Skip(kept)]));
        _cached = [.. texts];
        return cat(hidden, 0);
    }

    // Drops the rows of texts that have left; and all of them where the context is full, since every token then has another position, or a row comes to have other frequencies.
    private void KeepRows(IReadOnlyList<IReadOnlyList<int>> texts)
    {
        HashSet<object> present = new(texts, ReferenceEqualityComparer.Instance);
        int[] rows = [.. Enumerable.Range(0, _cached.Count).Where(row => present.Contains(_cached[row]))];
        if (rows.Length < _cached.Count)
        {
            _cached = [.. rows.Select(row => _cached[row])];
            Replace(rows.Length == 0 ? null : _cache!.Select(rows));
        }
        bool outgrows = model.ShortRowLimit is { } limit && _cache?.Crosses(limit, 1) == true;
        if (_cache?.Length == model.ContextLength || outgrows)
        {
            _cached = [];
            Replace(null);
        }
    }

    // [B,1,C] of texts that join, whose rows go behind those of the cache.
    private Tensor ReadWhole(IReadOnlyList<IReadOnlyList<int>> texts)
    {
        int longest = texts.Max(CountVisible);
        KeyValueCache own = new([.. texts.Select(ids => longest - CountVisible(ids))]);
        // Padded on the left, so that all texts end at the same position; the padding's id does not matter.
        Tensor rows = Ids([.. texts.SelectMany(ids => Enumerable.Repeat(0L, longest - CountVisible(ids)).Concat(TakeVisible(ids)))], texts.Count);
        try
        {
            Tensor hidden = model.ComputeHidden(rows, own).narrow(1, longest - 1, 1);
            Replace(_cache?.Join(own) ?? own);
            return hidden;
        }
        finally
        {
            if (_cache != own)
                own.Dispose();
        }
    }

    private void Replace(KeyValueCache? cache)
    {
        _cache?.Dispose();
        _cache = cache;
    }

    // [1,1,C]
    private Tensor ReadAlone(IReadOnlyList<int> ids) => model.ComputeHidden(Ids([.. TakeVisible(ids)], 1)).narrow(1, CountVisible(ids) - 1, 1);

    private Tensor Ids(long[] ids, int rows) => tensor(ids, [rows, ids.Length / rows], device: model.Device);

    private IEnumerable<long> TakeVisible(IReadOnlyList<int> ids) => ids.Skip(ids.Count - CountVisible(ids)).Select(id => (long)id);

    private int CountVisible(IReadOnlyList<int> ids) => Math.Min(ids.Count, model.ContextLength);
}
