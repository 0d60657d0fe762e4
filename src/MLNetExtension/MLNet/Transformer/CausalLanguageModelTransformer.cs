using Microsoft.Extensions.AI;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using MLNetExtension.Formats.Gguf;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.MLNet.Trainer;
using MLNetExtension.MLNet.Transformer;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;

namespace MLNetExtension;

/// <summary>
/// A trained causal language model. It adds columns to every row: the summed loss, the numbers of target tokens, of their bytes and of those that the model ranks first,
/// the perplexity, the log probability of each target token, and generated text.
/// </summary>
/// <remarks>
/// <para>It owns the network: dispose it, or its owner, such as a <see cref="PredictionEngine{TSrc, TDst}"/> made with it. Using it afterwards throws
/// <see cref="ObjectDisposedException"/>; a call that is under way on another thread finishes. Any number of threads may use it at the same time, each with a cursor or prediction engine of its own.</para>
/// <para>Columns are computed lazily, and only those that are read: counts of tokens and bytes never run the network, and text is generated only where its column is read.
/// A cursor reads ahead and scores rows in micro-batches. A row without a target token has the loss 0 and the perplexity NaN, ML.NET's missing value.</para>
/// <para>The added columns have ML.NET's score annotations, with the column kind <c>CausalLanguageModeling</c>.</para>
/// </remarks>
public sealed class CausalLanguageModelTransformer : ITransformer, IDisposable
{
    private const string LoaderSignature = "CausalLanguageModel";

    private readonly TrainedLanguageModel _model;
    private readonly CausalLanguageModelTrainer.Options _options;
    private readonly RowScoring _scoring;

    // The model becomes this object's. The ranks that trained it evaluate it together, too.
    internal CausalLanguageModelTransformer(TrainedLanguageModel model, CausalLanguageModelTrainer.Options options, TrainingSummary? training, IRankGroup? ranks = null)
    {
        (_model, _options, Training) = (model, options, training);
        // A training that is over: the weights stay as they are.
        if (training is not null)
            model.Adapters?.FixNorms();
        _scoring = new RowScoring(model, options, ranks ?? SingleRank.Instance);
    }

    /// <summary>Steps, losses and the reason why training stopped; null for a model that was loaded.</summary>
    public TrainingSummary? Training { get; }

    /// <summary>The options that the model was trained with, in which defaults that follow from what is trained have their values; without validation rows, checkpoints and callbacks. A copy.</summary>
    public CausalLanguageModelTrainer.Options Options => _options.Copy();

    /// <summary>The column that holds the prompt, or the whole text where there are no prompts; null where rows are token ids or chats.</summary>
    internal string? PromptColumnName => _options.Columns.PromptColumn;

    /// <summary>The column that holds what follows a prompt, or the whole text where there are no prompts; null where rows are token ids or chats.</summary>
    internal string? CompletionColumnName => _options.Columns is InputColumns.PromptCompletionColumns pair ? pair.Completion : PromptColumnName;

    internal IEnumerable<string> InputColumnNames => _options.Columns.Content.Select(column => column.Name);

    bool ITransformer.IsRowToRowMapper => true;

    /// <summary>Returns the input's columns and the added ones.</summary>
    /// <param name="inputSchema">Has the columns that the model was trained on; the weight is not needed.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).OutputSchema;

    /// <summary>Adds the columns to data; nothing is computed yet.</summary>
    /// <param name="input">Has the columns that the model was trained on; the weight is not needed.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ScoringDataView(input, Bind(input.Schema), _scoring);
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => new CausalLanguageModelRowMapper(Bind(inputSchema), _scoring);

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ModelArchiveBridge.SetLoader(ctx, LoaderSignature, ArchiveManifest.CurrentVersion);
        var archive = new ArchiveWriter(ctx);
        ArchivedOptions.Write(archive, _options);
        _model.Save(archive);
        archive.Complete();
    }

    /// <summary>Writes the model in Hugging Face's layout: configuration, weights and tokenizer.</summary>
    /// <param name="folder">The folder; created if it is missing. Files of the same names are replaced once everything is written.</param>
    /// <exception cref="InvalidOperationException">The model has low-rank adapters: <see cref="MergeAdapters"/>, or <see cref="SaveAdapters"/>. Or a weight is not finite; the message names it.</exception>
    /// <exception cref="NotSupportedException">Hugging Face's files have no keys for what this model computes.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void SaveAsHuggingFace(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        Require.Name(folder);
        _model.SaveAsHuggingFace(folder);
    }

    /// <summary>
    /// Writes the model for ONNX Runtime, on servers, phones and in browsers: <c>model.onnx</c>, its weights in <c>model.onnx.data</c>, <c>genai_config.json</c> for ONNX Runtime GenAI, and the tokenizer's files.
    /// </summary>
    /// <remarks>
    /// <para>With B rows, T new positions, P positions in the cache, L layers of G heads of keys and values of width D, and V token ids, the graph's inputs are <c>input_ids</c> [B,T] int64, <c>attention_mask</c> [B,P+T] int64,
    /// 1 for a token and 0 for padding, and <c>past_key_values.i.key</c> and <c>.value</c> [B,G,P,D] float32 for i from 0 to below L; its outputs are <c>logits</c> [B,T,V] and <c>present.i.key</c> and <c>.value</c> [B,G,P+T,D], the next
    /// call's past. P is 0 at first. Positions are counted from the mask: rows may be padded at either end.</para>
    /// <para>Weights are float32 whatever the model computes in, so that one in half precision computes more exactly there. Low-rank adapters are merged into what is written; the model itself does not change.</para>
    /// </remarks>
    /// <param name="folder">The folder; created if it is missing. Files of the same names are replaced once everything is written; an interrupted save leaves no <c>model.onnx</c>, or the old files.</param>
    /// <exception cref="ArgumentException"><paramref name="folder"/> is empty.</exception>
    /// <exception cref="InvalidOperationException">A weight is not finite; the message names it.</exception>
    /// <exception cref="NotSupportedException">The model is a custom network, or of a type that cannot be written as ONNX; the message names it.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void SaveAsOnnx(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        Require.Name(folder);
        _model.SaveAsOnnx(folder);
    }

    /// <summary>Writes the model as a GGUF file, which llama.cpp and the programs built on it read: network, tokenizer and chat template. Low-rank adapters are merged into what is written; the model keeps them.</summary>
    /// <param name="path">The file, whose name ends in <c>.gguf</c>, or a folder, which gets <c>model.gguf</c>. Folders are created if they are missing; a file of the name is replaced once the new one is whole.</param>
    /// <param name="type">The type of matrices. Default <see cref="GgufType.F32"/>: all weights as they are.</param>
    /// <exception cref="NotSupportedException">The format, or what llama.cpp makes of it, cannot say what this model or its tokenizer does, or a weight is too large for the type. The message names it, and nothing is written.</exception>
    /// <exception cref="InvalidOperationException">A weight is not finite; the message names it.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void SaveAsGguf(string path, GgufType type = GgufType.F32)
    {
        ArgumentNullException.ThrowIfNull(path);
        Require.Name(path);
        Require.Defined(type);
        _model.SaveAsGguf(path, type);
    }

    /// <summary>Writes the low-rank adapters in PEFT's layout: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
    /// <param name="folder">The folder; created if it is missing.</param>
    /// <exception cref="InvalidOperationException">The model has no adapters, or a weight that is not finite; the message names it.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void SaveAdapters(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        Require.Name(folder);
        _model.SaveAdapters(folder, (_options.Model as LanguageModel.PretrainedModel)?.Folder);
    }

    /// <summary>Loads low-rank adapters in PEFT's layout onto the model, as <see cref="SaveAdapters"/> and PEFT write them: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>. The model then computes with them, and is saved with them. No other thread may use the model meanwhile.</summary>
    /// <param name="folder">The folder. Where anything in it is refused, the model is as it was.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or does not fit the model; the message says where.</exception>
    /// <exception cref="InvalidOperationException">The model has adapters already: <see cref="MergeAdapters"/>.</exception>
    /// <exception cref="NotSupportedException">The configuration asks for what is not done here; the message names it. Or the network is one of your own.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void LoadAdapters(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        Require.Name(folder);
        _model.LoadAdapters(folder);
    }

    /// <summary>Makes a chat client, which lays out messages as the model's chat template says and lets the model answer.</summary>
    /// <param name="modelId">What the model is called in responses and metadata. Default null: the name of the folder that it was trained from or of the network of your own, or <c>gpt2</c>.</param>
    /// <returns>A client for any number of threads and conversations: answers that are generated at the same time are generated in one batch, each as it would be alone. It keeps no conversation; disposing of it leaves the model as it is.</returns>
    /// <remarks>
    /// <para>Options: temperature, top-p, top-k, stop sequences, seed (64 bits, folded to 32), instructions (laid out as the system message) and the maximum of tokens, by default what the context has room for. Others of
    /// <see cref="GenerationOptions"/> are given by <see cref="ChatOptions.RawRepresentationFactory"/>. Tools, formats other than text, penalties for frequency and presence, conversation ids and other model ids are
    /// refused with <see cref="NotSupportedException"/>, as are messages of anything but text.</para>
    /// <para>The usage counts every id that the model reads, those of the template included, and every one that it chooses, the one that ends its turn included. The finish reason is <c>stop</c> or <c>length</c>.</para>
    /// <para><see cref="IChatClient.GetService"/> gives the client, its <see cref="ChatClientMetadata"/> and this transformer.</para>
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="modelId"/> is empty.</exception>
    /// <exception cref="NotSupportedException">The model's tokenizer has no chat template, or one that is not known; the message names it where it can.</exception>
    /// <exception cref="InvalidDataException">The template's marks are not special tokens of the tokenizer.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public IChatClient AsChatClient(string? modelId = null)
    {
        Require.OptionalName(modelId);
        return Scoring.CreateChatClient(modelId ?? _options.Model.Title, this);
    }

    /// <summary>Adds the low-rank adapters to the weights: the model computes the same, up to rounding, as fast as one without adapters. Does nothing where it has none. No other thread may use the model meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void MergeAdapters() => _model.MergeAdapters();

    /// <summary>Frees the network. Calls that use it on other threads finish, later ones throw; the network is freed when the last has ended, and this method does not wait for it.</summary>
    public void Dispose() => _model.Dispose();

    internal static void RegisterLoader(IHostEnvironment environment) => ModelArchiveBridge.RegisterLoader(environment, LoaderSignature, Load);

    /// <summary>The model; this object's.</summary>
    internal TrainedLanguageModel Model
    {
        get
        {
            _model.ThrowIfDisposed();
            return _model;
        }
    }

    /// <summary>Hashes the weights (SHA-256, in hexadecimal).</summary>
    internal string HashWeights() => Model.HashWeights();

    internal RowScoring Scoring
    {
        get
        {
            _model.ThrowIfDisposed();
            return _scoring;
        }
    }

    // Called by ML.NET with its own load context, whose type it keeps internal.
    private static ITransformer Load(IHostEnvironment environment, object loadContext) => TorchSetup.Run<ITransformer>(() =>
    {
        var archive = new ArchiveReader(loadContext);
        var options = ArchivedOptions.Read(archive);
        using var channel = environment.Start("Loading causal language model");
        return new CausalLanguageModelTransformer(ModelLoader.Load(archive, TorchDevice.Select(environment, channel), CustomModels.Of(environment)), options, training: null);
    });

    private ColumnBinding Bind(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        _model.ThrowIfDisposed();
        // As in ML.NET, weights are for training and evaluating: scoring reads none.
        return new ColumnBinding(inputSchema, _options.Columns with { Weight = null }, OutputColumn.List(_options.Outputs));
    }
}
