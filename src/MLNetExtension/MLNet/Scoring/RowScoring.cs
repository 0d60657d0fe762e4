using System.Diagnostics;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Tokenization.Chat;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>Encodes, scores and continues rows with a trained model. It keeps nothing of a row, so any number of threads may share one.</summary>
internal sealed class RowScoring
{
    private readonly TrainedLanguageModel _model;
    private readonly TokenExampleEncoder _encoder;
    private readonly RowScorer _scorer;
    private readonly GenerationOptions _generation;
    private readonly bool _hasChats;

    /// <param name="model">Stays its owner's.</param>
    /// <param name="options">Those that the model was trained with.</param>
    public RowScoring(TrainedLanguageModel model, CausalLanguageModelTrainer.Options options)
    {
        _model = model;
        _encoder = new TokenExampleEncoder(model.Tokenizer, model.Network.ContextLength);
        _scorer = new RowScorer(model.Network, options.Batching.MaximumTokensPerMicroBatch ?? CausalLanguageModelTransformer.DefaultScoringTokens);
        _hasChats = options.Columns is InputColumns.ChatColumn;
        Generator = new TextGenerator(model.Network, model.Tokenizer, !_hasChats ? model.EndIds : [.. model.EndIds, _encoder.Chats.EndOfTurnId]);
        _generation = options.Outputs.Generation;
    }

    /// <summary>Generates with the model.</summary>
    public TextGenerator Generator { get; }

    /// <summary>Gives the ids of a chat in which a user says something; null for a model that was not trained on chats.</summary>
    /// <param name="prompt">What the user says.</param>
    public IReadOnlyList<int>? ChatPrompt(string prompt) => _hasChats ? _encoder.Chats.Prompt([new ChatMessage("user", prompt)], 0) : null;

    public TokenExample Encode(RowContent row, long position) => _encoder.Encode(row, position);

    public IReadOnlyList<TokenScores> Score(IReadOnlyList<TokenExample> examples)
    {
        _model.ThrowIfDisposed();
        return _scorer.ScoreTokens(examples);
    }

    /// <summary>What the model writes after a row's prompt or, where rows have none, after its text or token ids.</summary>
    public string Continue(RowContent row, long position)
    {
        _model.ThrowIfDisposed();
        return row switch
        {
            RowContent.Text text => Generator.Generate(text.Value, _generation),
            RowContent.PromptCompletion pair => Generator.Generate(pair.Prompt, _generation),
            RowContent.Chat chat => Generator.Continue(_encoder.Chats.Prompt(ChatMessages.Parse(chat.Messages, position), position), _generation),
            RowContent.TokenIds tokens => Generator.Generate(tokens.Ids, _generation),
            _ => throw new UnreachableException(),
        };
    }
}
