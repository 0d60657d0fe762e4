using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Generation;
using MLNetExtension.Persistence;

namespace MLNetExtension.Estimators;

/// <summary>Encodes, scores and continues rows with a trained model. It keeps nothing of a row, so any number of threads may share one.</summary>
internal sealed class RowScoring
{
    private readonly TrainedLanguageModel _model;
    private readonly TokenExampleEncoder _encoder;
    private readonly RowScorer _scorer;
    private readonly TextGenerator _generator;
    private readonly GenerationOptions _generation;
    private readonly bool _hasPrompts;

    /// <param name="model">Stays its owner's.</param>
    /// <param name="options">Those that the model was trained with.</param>
    public RowScoring(TrainedLanguageModel model, CausalLanguageModelTrainer.Options options)
    {
        _model = model;
        _encoder = new TokenExampleEncoder(model.Tokenizer, model.Network.ContextLength);
        _scorer = new RowScorer(model.Network, options.MaximumTokensPerMicroBatch ?? CausalLanguageModelTransformer.DefaultScoringTokens);
        _generator = new TextGenerator(model.Network, model.Tokenizer);
        _generation = options.GeneratedText;
        _hasPrompts = options.Inputs.Prompt is not null;
    }

    public TokenExample Encode(RowContent row, long position) => _encoder.Encode(row, position);

    public IReadOnlyList<TokenScores> Score(IReadOnlyList<TokenExample> examples)
    {
        _model.ThrowIfDisposed();
        return _scorer.ScoreTokens(examples);
    }

    /// <summary>What the model writes after a row's prompt or, where rows have none, after its text or token ids.</summary>
    public string Continue(RowContent row)
    {
        _model.ThrowIfDisposed();
        return row.TokenIds is not null ? _generator.Generate(row.TokenIds, _generation)
            : _generator.Generate(_hasPrompts ? row.Text.Prompt : row.Text.Completion, _generation);
    }
}
