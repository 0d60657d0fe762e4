using System.Diagnostics;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Tokenization.Chat;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>Encodes, scores and continues rows with a trained model. It keeps nothing of a row, so any number of threads may share one.</summary>
internal sealed class RowScoring
{
    private readonly TokenExampleEncoder _encoder;
    private readonly RowScorer _scorer;
    private readonly GenerationOptions _generation;

    /// <param name="model">Stays its owner's.</param>
    /// <param name="options">Those that the model was trained with.</param>
    /// <param name="ranks">The ranks that evaluate together.</param>
    public RowScoring(TrainedLanguageModel model, CausalLanguageModelTrainer.Options options, IRankGroup ranks)
    {
        (Ranks, Model) = (ranks, model);
        _encoder = new TokenExampleEncoder(model.Tokenizer, model.Network.ContextLength);
        _scorer = new RowScorer(model.Network, options.Batching.MaximumTokensPerMicroBatch, options.Batching.PackRows, options.Batching.Threads ?? ranks.Threads);
        ReadsChats = options.Columns is InputColumns.ChatColumn;
        Generator = new TextGenerator(model.Network, model.Tokenizer, !ReadsChats ? model.EndIds : [.. model.EndIds, _encoder.Chats.EndOfTurnId]);
        Batch = new RunningBatch(model.Network);
        _generation = options.Outputs.Generation;
    }

    /// <summary>The ranks that evaluate together.</summary>
    public IRankGroup Ranks { get; }

    /// <summary>The model; its owner's.</summary>
    public TrainedLanguageModel Model { get; }

    /// <summary>Whether the model was trained on chats, so that it reads a prompt as a user's message.</summary>
    public bool ReadsChats { get; }

    /// <summary>Scores with the model.</summary>
    public RowScorer Scorer => _scorer;

    /// <summary>Generates with the model.</summary>
    public TextGenerator Generator { get; }

    /// <summary>Generates texts for those who come at any time, all of them together.</summary>
    public RunningBatch Batch { get; }

    /// <summary>Whether the model's files say how a chat is laid out.</summary>
    public bool HasChatTemplate => Model.Tokenizer is IChatTokenizer { ChatTemplateSource: not null };

    /// <summary>Makes a client that chats with the model.</summary>
    /// <param name="modelId">What the model is called.</param>
    /// <param name="owner">What the client gives to those who ask for the model.</param>
    /// <exception cref="NotSupportedException">The model's tokenizer has no chat template, or one that is not known.</exception>
    /// <exception cref="InvalidDataException">The template's marks are not special tokens of the tokenizer.</exception>
    public LanguageModelChatClient CreateChatClient(string modelId, object owner)
    {
        ChatTemplate template = _encoder.Chats.Template;
        TextGenerator generator = new(Model.Network, Model.Tokenizer, [.. Model.EndIds, template.EndOfTurnId]);
        return new LanguageModelChatClient(template, generator, Batch, modelId, owner);
    }

    /// <summary>Most tokens of a generated text.</summary>
    public int MaximumNewTokens => _generation.MaximumNewTokens;

    /// <summary>Encodes a prompt; for a model that was trained on chats, as a chat of one message, the user's.</summary>
    public IReadOnlyList<int> EncodePrompt(string prompt) => ReadsChats ? _encoder.Chats.Prompt([new ChatMessage("user", prompt)], 0) : Generator.Encode(prompt);

    public TokenExample Encode(RowContent row, long position) => _encoder.Encode(row, position);

    public IReadOnlyList<TokenScores> Score(IReadOnlyList<TokenExample> examples, CancellationToken cancellationToken = default) => _scorer.ScoreTokens(examples, cancellationToken);

    /// <summary>Encodes what a row's text is generated after: its prompt or, where rows have none, its text or token ids.</summary>
    public IReadOnlyList<int> EncodePromptOf(RowContent row, long position) => row switch
    {
        RowContent.Text text => Generator.Encode(text.Value),
        RowContent.PromptCompletion pair => Generator.Encode(pair.Prompt),
        RowContent.Chat chat => _encoder.Chats.Prompt(ChatMessages.Parse(chat.Messages, position), position),
        RowContent.TokenIds tokens => Generator.AddBeginning(tokens.Ids),
        _ => throw new UnreachableException(),
    };

    /// <summary>Generates the texts of rows together, each as it would be generated alone.</summary>
    /// <param name="prompts">What <see cref="EncodePromptOf"/> gives for each row.</param>
    public IReadOnlyList<string> Continue(IReadOnlyList<IReadOnlyList<int>> prompts) => Generator.GenerateAlike(prompts, _generation);
}
