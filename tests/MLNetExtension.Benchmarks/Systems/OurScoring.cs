using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Evaluation;
using MLNetExtension.Models;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>The library's scoring, which lies under <c>Transform</c> and <c>Evaluate</c>: with its defaults, and with the share of correct tokens that metrics need.</summary>
internal sealed class OurScoring : IMeasuredSystem
{
    private readonly WorkloadFolder _folder;
    private readonly CausalLanguageModel _model;
    private readonly RowScorer _scorer;

    public OurScoring(WorkloadFolder folder)
    {
        _folder = folder;
        _model = folder.LoadModel();
        _scorer = new RowScorer(_model);
    }

    public string? Remark => null;

    public double Step(int batch)
    {
        IReadOnlyList<RowScore> scores = _scorer.Score(_folder.Batches[batch]);
        return scores.Sum(score => score.LossSum) / scores.Sum(score => score.TokenCount);
    }

    public void Dispose() => _model.Dispose();
}
