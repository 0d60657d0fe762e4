using Microsoft.ML;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.MLNet.Trainer;
using MLNetExtension.Tokenization;
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
