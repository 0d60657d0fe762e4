using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.MLNet.Transformer;
using MLNetExtension.Tokenization;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.MLNet.Evaluation;

/// <summary>Measures a model on whole texts of any length. Of a text its ids are in memory, and of the examples that overlap a few at a time.</summary>
internal sealed class LongTextEvaluation
{
    private const int ExamplesTogether = 256;

    private readonly RowScoring _scoring;
    private readonly PipelineText _texts;
    private readonly int _stride;

    /// <param name="chain">The model and what stands before it.</param>
    /// <param name="stride">How many tokens the context moves at a time; null for half of it.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="stride"/> is not from 1 to the model's context length.</exception>
    public LongTextEvaluation(LanguageModelChain chain, int? stride)
    {
        _scoring = chain.Model.Scoring;
        _texts = PipelineText.Create(chain, chain.Model.PromptColumnName);
        Require.That(stride is null || (stride >= 1 && stride <= ContextLength), stride, FormattableString.Invariant($"from 1 to {ContextLength}, the model's context"));
        _stride = stride ?? Math.Max(1, ContextLength / 2);
    }

    private int ContextLength => _scoring.Model.Network.ContextLength;

    private ILanguageTokenizer Tokenizer => _scoring.Model.Tokenizer;

    /// <summary>Evaluates the model on every text of a column, each by itself. Where it has several ranks, each calls this and scores a share of every text, and all get the same metrics.</summary>
    public CausalLanguageModelMetrics Run(IDataView data, string textColumn, CancellationToken cancellationToken)
    {
        var column = InputSchema.Find(data.Schema, nameof(data), "text", textColumn, TextDataViewType.Instance);
        return Run(Read(data, column), cancellationToken);
    }

    /// <summary>Evaluates the model on texts, each by itself.</summary>
    public CausalLanguageModelMetrics Run(IEnumerable<string> texts, CancellationToken cancellationToken)
    {
        MetricsAccumulator sums = new();
        _scoring.Ranks.RunTogether(() =>
        {
            foreach (string text in texts)
                Add(_texts.Apply(text), sums, cancellationToken);
        });
        return MetricsAccumulator.FromNumbers(_scoring.Ranks.SumNumbers(sums.ToNumbers())).ToMetrics();
    }

    private static IEnumerable<string> Read(IDataView data, DataViewSchema.Column column)
    {
        using var cursor = data.GetRowCursor([column]);
        var getter = cursor.GetGetter<ReadOnlyMemory<char>>(column);
        ReadOnlyMemory<char> text = default;
        while (cursor.MoveNext())
        {
            getter(ref text);
            yield return text.ToString();
        }
    }

    // The tokens are those of a row that fits the context: beginning-of-text, which is no target, the text and the end-of-text. The first rank counts the text and its bytes.
    private void Add(string text, MetricsAccumulator sums, CancellationToken cancellationToken)
    {
        List<int> tokens = [Tokenizer.BeginningId];
        Tokenizer.EncodeParts(text, tokens.AddRange);
        tokens.Add(Tokenizer.EndOfTextId);
        var (rank, size) = (_scoring.Ranks.Rank, _scoring.Ranks.Size);
        IEnumerable<TokenExample> own = SlidingExamples.Of(tokens, ContextLength, _stride, position: 0).Where((_, i) => i % size == rank);
        foreach (TokenExample[] group in own.Chunk(ExamplesTogether))
        {
            foreach (var (scores, example) in _scoring.Score(group, cancellationToken).Zip(group))
                sums.AddPart(new RowScore(scores.LossSum, example.TargetCount, 0, scores.CorrectCount));
        }
        if (rank == 0)
            sums.Add(new RowScore(0, 0, Encoding.UTF8.GetByteCount(text)));
    }
}
