using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.MLNet.Transformer;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.MLNet.Evaluation;

/// <summary>Scores the options of questions by their log-probabilities. The tokens of a question are read once for all of its options; how many rows are scored together changes nothing.</summary>
/// <param name="chain">The model and what stands before it.</param>
/// <param name="columns">Where the rows are.</param>
/// <param name="delimiter">What stands between a question and an option.</param>
internal sealed class MultipleChoiceEvaluation(LanguageModelChain chain, ChoiceColumns columns, string delimiter)
{
    // Options of like length go through the model together; their ids are in memory until then.
    private const int OptionsTogether = 1024;

    private readonly RowScoring _scoring = chain.Model.Scoring;
    private readonly ContinuationEncoder _encoder = new(chain.Model.Scoring.Model.Tokenizer, chain.Model.Scoring.Model.Network.ContextLength);
    private readonly PipelineText _questions = PipelineText.Create(chain, chain.Model.PromptColumnName);
    private readonly PipelineText _answers = PipelineText.Create(chain, chain.Model.CompletionColumnName);

    /// <summary>Evaluates the model. Where it has several ranks, each calls this and scores a share of the rows, and all get the same metrics.</summary>
    public MultipleChoiceMetrics Run(IDataView data, CancellationToken cancellationToken)
    {
        IRankGroup ranks = _scoring.Ranks;
        MultipleChoiceSums? own = null;
        ranks.RunTogether(() => own = Count(ranks.Size == 1 ? data : new RowShare(data, ranks.Rank, ranks.Size), cancellationToken));
        return MultipleChoiceSums.FromNumbers(ranks.SumNumbers(own!.ToNumbers())).ToMetrics();
    }

    private MultipleChoiceSums Count(IDataView data, CancellationToken cancellationToken)
    {
        var sums = new MultipleChoiceSums();
        List<EncodedChoice> waiting = [];
        foreach (ChoiceRow row in new ChoiceReader(columns).Read(data))
        {
            waiting.Add(Encode(row));
            if (waiting.Sum(choice => choice.Examples.Count) < OptionsTogether)
                continue;
            Score(waiting, sums, cancellationToken);
            waiting.Clear();
        }
        Score(waiting, sums, cancellationToken);
        return sums;
    }

    private EncodedChoice Encode(ChoiceRow row)
    {
        string question = _questions.Apply(row.Question);
        string[] options = [.. row.Options.Select(_answers.Apply)];
        if (Array.IndexOf(options, "") is >= 0 and int empty)
            throw new InvalidDataException(FormattableString.Invariant($"Row {row.Position}: option {empty} is empty after the transformers before the model."));
        return new EncodedChoice(options, row.Answer, _scoring.ReadsChats
            ? _encoder.Append(_scoring.EncodePrompt(question), options, row.Position)
            : _encoder.Encode(question, [.. options.Select(option => delimiter + option)], row.Position));
    }

    private void Score(List<EncodedChoice> choices, MultipleChoiceSums sums, CancellationToken cancellationToken)
    {
        IReadOnlyList<TokenScores> scores = _scoring.Score([.. choices.SelectMany(choice => choice.Examples)], cancellationToken);
        int first = 0;
        foreach (EncodedChoice choice in choices)
        {
            double[] logProbabilities = [.. Enumerable.Range(first, choice.Options.Count).Select(i => -scores[i].LossSum)];
            sums.Add(choice.Options, logProbabilities, choice.Answer, choice.Examples.Any(example => example.WasTruncated));
            first += choice.Options.Count;
        }
    }

    private sealed record EncodedChoice(IReadOnlyList<string> Options, int Answer, IReadOnlyList<TokenExample> Examples);
}
