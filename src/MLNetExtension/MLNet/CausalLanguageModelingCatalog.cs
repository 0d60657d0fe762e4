using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.MLNet.Evaluation;
using MLNetExtension.MLNet.Preference;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.MLNet.Trainer;
using MLNetExtension.MLNet.Transformer;
using MLNetExtension.Tokenization;
using MLNetExtension.Training.Preference;
using static TorchSharp.torch;

namespace MLNetExtension;

/// <summary>Training, evaluating and using causal language models: models that give the probability of each next token of a text.</summary>
public sealed class CausalLanguageModelingCatalog
{
    private readonly MLContext _mlContext;

    internal CausalLanguageModelingCatalog(MLContext mlContext)
    {
        _mlContext = mlContext;
        TorchDevice.Register(mlContext);
        Trainers = new CausalLanguageModelingTrainers(mlContext);
        RegisterLoader();
    }

    /// <summary>The trainers.</summary>
    public CausalLanguageModelingTrainers Trainers { get; }

    /// <summary>Makes saved language models loadable with <c>mlContext.Model.Load</c> in this context.</summary>
    /// <remarks>For a program that only loads: any use of this catalog does the same, and doing it again changes nothing. Where a saved model
    /// is damaged or too new, ML.NET wraps the error that says so; <see cref="Exception.GetBaseException"/> gives it. A model is loaded to the CPU, or
    /// to the GPU that <see cref="MLContext.GpuDeviceId"/> names when it is loaded.</remarks>
    public void RegisterLoader() => CausalLanguageModelTransformer.RegisterLoader(_mlContext);

    /// <summary>Makes saved models with a network of your own loadable in this context: an archive holds the network's name and weights, never code.</summary>
    /// <param name="name">The name that the model was trained under, see <see cref="LanguageModel.Custom"/>. An earlier registration of the name is replaced.</param>
    /// <param name="factory">Creates a module with the parameters and buffers that were saved, another one on every call.</param>
    /// <param name="tokenizer">The tokenizer, where it is of a class of your own. Default null: saved models hold the tokenizers that this library creates.</param>
    /// <remarks>Where the saved weights differ from the module's in name or shape, loading throws an error that names them. Models of other contexts are not affected.</remarks>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public void RegisterModel(string name, Func<nn.Module<Tensor, Tensor>> factory, ILanguageTokenizer? tokenizer = null)
    {
        Require.Name(name);
        ArgumentNullException.ThrowIfNull(factory);
        CustomModels.Of(_mlContext).Register(name, new CustomModels.Registration(factory, tokenizer));
    }

    /// <summary>Sums the columns of scored data to the loss and what follows from it.</summary>
    /// <param name="data">Data that a trained model has transformed; read once, one row in memory at a time.</param>
    /// <param name="lossSumColumnName">The column with a row's summed loss in nats. Default: <c>LossSum</c>.</param>
    /// <param name="tokenCountColumnName">The column with its number of target tokens. Default: <c>TokenCount</c>.</param>
    /// <param name="byteCountColumnName">The column with the number of UTF-8 bytes those spell. Default: <c>ByteCount</c>.</param>
    /// <param name="correctCountColumnName">The column with the number of target tokens that the model ranks first. Default: <c>CorrectCount</c>.</param>
    /// <param name="exampleWeightColumnName">The column with the rows' weights (Single, from 0 to 1e30). Default: null, every row weighs 1.</param>
    /// <returns>Sum over sum, so the same however the rows were batched.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="InvalidOperationException">The data has no target token, or none of a weight above 0, or a weight is negative or not finite.</exception>
    public CausalLanguageModelMetrics Evaluate(
        IDataView data,
        string lossSumColumnName = OutputOptions.DefaultLossSum,
        string tokenCountColumnName = OutputOptions.DefaultTokenCount,
        string byteCountColumnName = OutputOptions.DefaultByteCount,
        string correctCountColumnName = OutputOptions.DefaultCorrectCount,
        string? exampleWeightColumnName = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        return Columns(lossSumColumnName, tokenCountColumnName, byteCountColumnName, correctCountColumnName, exampleWeightColumnName).Sum(data);
    }

    /// <summary>Measures how often a model finds the right one of several answers to a question the most probable: by the log-probability of each option after the question.</summary>
    /// <param name="model">A <see cref="CausalLanguageModelTransformer"/>, or a chain that holds one. The transformers before it in the chain are applied to questions and options.</param>
    /// <param name="data">A row for each question; read once.</param>
    /// <param name="questionColumnName">The column with the question (text), with all that the model is to read before the option; may be empty. Default: <c>Question</c>.</param>
    /// <param name="optionsColumnName">The column with the options (a vector of text, of any size). Default: <c>Options</c>.</param>
    /// <param name="answerColumnName">The column with the index of the right option: a number, from 0, or a key, whose first value stands for the first option. Default: <c>Answer</c>.</param>
    /// <param name="delimiter">What stands between question and option, as <c>target_delimiter</c> of lm-evaluation-harness. Default: a space.</param>
    /// <param name="cancellationToken">Ends the evaluation before the next rows go through the model.</param>
    /// <returns>Counts over counts, so the same however rows are batched or split over ranks.</returns>
    /// <remarks>
    /// <para>The model reads beginning-of-text, the question, the delimiter and an option, as one text; the tokens behind the question's own are the option's, white space at the question's end included. Where that is longer
    /// than the model's context, the beginning of the question is left out, and a warning is logged. A model that was trained on chats reads the question as a user's message and the options as answers to it, without a delimiter.</para>
    /// <para>Where a model of several ranks is evaluated, all of them make this call; each scores a share of the rows.</para>
    /// </remarks>
    /// <exception cref="ArgumentException">There is no language model in <paramref name="model"/>, or more than one.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="InvalidDataException">A row has no option, an empty one, one with more tokens than the model's context, or an answer that is none of them; the message names the row, from 0.</exception>
    /// <exception cref="InvalidOperationException">There are no rows; or a transformer before the language model needs columns other than the model's own text columns.</exception>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public MultipleChoiceMetrics EvaluateMultipleChoice(
        ITransformer model,
        IDataView data,
        string questionColumnName = "Question",
        string optionsColumnName = "Options",
        string answerColumnName = "Answer",
        string delimiter = " ",
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(delimiter);
        Require.Name(questionColumnName);
        Require.Name(optionsColumnName);
        Require.Name(answerColumnName);
        ChoiceColumns columns = new(questionColumnName, optionsColumnName, answerColumnName);
        MultipleChoiceMetrics metrics = new MultipleChoiceEvaluation(LanguageModelChain.Find(model), columns, delimiter).Run(data, cancellationToken);
        if (metrics.TruncatedRows > 0)
            Warn(FormattableString.Invariant($"{metrics.TruncatedRows:N0} of {metrics.Rows:N0} rows are longer than the model's context: the beginning of their questions is left out."));
        return metrics;
    }

    /// <summary>Measures how well a model predicts a text of any length: its context moves over the text, so that each token is predicted once, and from the tokens before it.</summary>
    /// <param name="model">A <see cref="CausalLanguageModelTransformer"/>, or a chain that holds one. The transformers before it in the chain are applied to the text.</param>
    /// <param name="text">The text; its ids are in memory as a whole.</param>
    /// <param name="stride">How many tokens the context moves at a time, from 1 to the model's context length T. Every token but the first T is predicted from at least T + 1 - stride tokens; one of 1 gives each the most,
    /// and takes a pass over the context for each. Default null: half of the context.</param>
    /// <param name="cancellationToken">Ends the evaluation before the next rows go through the model.</param>
    /// <returns>Sum over sum; of a text that fits the context, what <see cref="Evaluate"/> gives.</returns>
    /// <remarks>The tokens are those of a row: the first token of the text is predicted from beginning-of-text, or end-of-text where the tokenizer has no other, and the end-of-text is predicted too. Where a model of several
    /// ranks is evaluated, all of them make this call; each scores a share.</remarks>
    /// <exception cref="ArgumentException">There is no language model in <paramref name="model"/>, or more than one.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="stride"/> is out of its range.</exception>
    /// <exception cref="InvalidOperationException">A transformer before the language model needs columns other than the model's own text columns.</exception>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public CausalLanguageModelMetrics EvaluateLongText(ITransformer model, string text, int? stride = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(text);
        return new LongTextEvaluation(LanguageModelChain.Find(model), stride).Run([text], cancellationToken);
    }

    /// <summary>Measures how well a model predicts texts of any length, each by itself; see <see cref="EvaluateLongText(ITransformer, string, int?, CancellationToken)"/>.</summary>
    /// <param name="model">A <see cref="CausalLanguageModelTransformer"/>, or a chain that holds one.</param>
    /// <param name="data">A row for each text; read once, one text in memory at a time.</param>
    /// <param name="textColumnName">The column with the texts. Default: <c>Text</c>.</param>
    /// <param name="stride">How many tokens the context moves at a time. Default null: half of the context.</param>
    /// <param name="cancellationToken">Ends the evaluation before the next rows go through the model.</param>
    /// <returns>Sum over sum: every token of every text weighs the same.</returns>
    /// <exception cref="ArgumentException">There is no language model in <paramref name="model"/>, or more than one.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The column is missing or not of text, or <paramref name="stride"/> is out of its range.</exception>
    /// <exception cref="InvalidOperationException">There are no rows; or a transformer before the language model needs columns other than the model's own text columns.</exception>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public CausalLanguageModelMetrics EvaluateLongText(ITransformer model, IDataView data, string textColumnName = "Text", int? stride = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        Require.Name(textColumnName);
        return new LongTextEvaluation(LanguageModelChain.Find(model), stride).Run(data, textColumnName, cancellationToken);
    }

    /// <summary>Measures how far a model prefers the chosen completions of pairs to the rejected ones.</summary>
    /// <param name="data">Pairs as the model reads their texts; read once. What stands before the model in a pipeline is not applied to them.</param>
    /// <param name="model">The model.</param>
    /// <param name="reference">The model that training started from, with the same tokenizer. Default null: the model is its own reference, and where the method has one all rewards are 0, unless columns say what the reference says.</param>
    /// <param name="columns">The columns. Default null: <see cref="InputColumns.Pairs"/>, for KTO <see cref="InputColumns.Labelled"/>, with their defaults.</param>
    /// <param name="method">What the rewards are. Default null: DPO with its defaults.</param>
    /// <param name="cancellationToken">Ends the evaluation before the next rows go through the model.</param>
    /// <returns>Sums over sums, so the same however the pairs were batched.</returns>
    /// <exception cref="ArgumentException">The columns do not suit the method, or they have a reference and another is given.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type, or a coefficient of the method is out of its range.</exception>
    /// <exception cref="InvalidOperationException">There is no pair to measure, or a weight is negative or not finite.</exception>
    /// <exception cref="ObjectDisposedException">A model has been disposed.</exception>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public PreferenceMetrics EvaluatePreference(
        IDataView data, CausalLanguageModelTransformer model, CausalLanguageModelTransformer? reference = null, InputColumns? columns = null, PreferenceMethod? method = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(model);
        method ??= PreferenceMethod.Dpo();
        PreferenceTrainer.Options options = new() { Model = LanguageModel.Gpt2(), Method = method, Columns = columns ?? (method.IsPaired ? InputColumns.Pairs() : InputColumns.Labelled()) };
        options.Validate();
        if (reference is not null && options.Columns is InputColumns.PairColumns { HaveReference: true })
            throw new ArgumentException($"{nameof(columns)} have a reference, and {nameof(reference)} is given, too; expected one of them.", nameof(reference));
        return PreferenceScoring.Measure(data, options.Columns, method, model.Scoring, reference?.Scoring, cancellationToken);
    }

    /// <summary>Trains on all folds of the data but one, measures the model on that one, and so for every fold.</summary>
    /// <param name="data">Read once for each fold's training and once for its test; cache it where reading is slow.</param>
    /// <param name="estimator">A <see cref="CausalLanguageModelTrainer"/>, or a pipeline with one, which is then fitted anew, whole, for every fold.</param>
    /// <param name="numberOfFolds">Number of folds, at least 2. Default: 5.</param>
    /// <param name="samplingKeyColumnName">A column whose equal values keep rows together in a fold, such as the document that a row is from. Default: null, rows are spread at random.</param>
    /// <param name="seed">Seed of the folds. Default: that of the <see cref="MLContext"/>.</param>
    /// <param name="keepModels">Whether the results carry their models, all of them in memory at once and the caller's to dispose. Default: false, each model is disposed once it is measured.</param>
    /// <param name="lossSumColumnName">The column with a row's summed loss in nats. Default: <c>LossSum</c>.</param>
    /// <param name="tokenCountColumnName">The column with its number of target tokens. Default: <c>TokenCount</c>.</param>
    /// <param name="byteCountColumnName">The column with the number of UTF-8 bytes those spell. Default: <c>ByteCount</c>.</param>
    /// <param name="correctCountColumnName">The column with the number of target tokens that the model ranks first. Default: <c>CorrectCount</c>.</param>
    /// <param name="exampleWeightColumnName">The column with the rows' weights in the metrics (Single, from 0 to 1e30). Default: null, every row weighs 1.</param>
    /// <returns>A result for each fold, in their order. The metrics of all folds together are not the mean of theirs: folds differ in their number of tokens.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer than two folds, or a column is missing or of another type.</exception>
    /// <exception cref="InvalidOperationException">A fold has nothing to learn from or nothing to measure on.</exception>
    public IReadOnlyList<CausalLanguageModelCrossValidationResult> CrossValidate(
        IDataView data,
        IEstimator<ITransformer> estimator,
        int numberOfFolds = 5,
        string? samplingKeyColumnName = null,
        int? seed = null,
        bool keepModels = false,
        string lossSumColumnName = OutputOptions.DefaultLossSum,
        string tokenCountColumnName = OutputOptions.DefaultTokenCount,
        string byteCountColumnName = OutputOptions.DefaultByteCount,
        string correctCountColumnName = OutputOptions.DefaultCorrectCount,
        string? exampleWeightColumnName = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(estimator);
        Require.OptionalName(samplingKeyColumnName);
        ScoredColumns columns = Columns(lossSumColumnName, tokenCountColumnName, byteCountColumnName, correctCountColumnName, exampleWeightColumnName);
        return CrossValidation.Run(_mlContext.Data.CrossValidationSplit(data, numberOfFolds, samplingKeyColumnName, seed), estimator, keepModels, columns.Sum);
    }

    /// <summary>Makes an object that continues prompts with the language model of a trained pipeline.</summary>
    /// <param name="model">A <see cref="CausalLanguageModelTransformer"/>, or a chain that holds one. The transformers before it in the chain, such as
    /// <c>NormalizeText</c>, are applied to every prompt; but not where the model reads token ids: there its tokenizer gets the prompt itself. The caller still owns and disposes it.</param>
    /// <exception cref="ArgumentException">There is no language model in <paramref name="model"/>, or more than one.</exception>
    /// <exception cref="InvalidOperationException">A transformer before the language model needs columns other than the model's own text columns.</exception>
    public PromptedTextGenerator CreateTextGenerator(ITransformer model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return PromptedTextGenerator.Create(model);
    }

    private void Warn(string line)
    {
        using IChannel channel = ((IHostEnvironment)_mlContext).Start("Evaluating");
        channel.Warning(MessageSensitivity.None, line);
    }

    // Named as the parameters of the public methods are.
    private static ScoredColumns Columns(string lossSumColumnName, string tokenCountColumnName, string byteCountColumnName, string correctCountColumnName, string? exampleWeightColumnName)
    {
        Require.Name(lossSumColumnName);
        Require.Name(tokenCountColumnName);
        Require.Name(byteCountColumnName);
        Require.Name(correctCountColumnName);
        Require.OptionalName(exampleWeightColumnName);
        return new ScoredColumns(lossSumColumnName, tokenCountColumnName, byteCountColumnName, correctCountColumnName, exampleWeightColumnName);
    }
}
