using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetExtension.Data;
using MLNetExtension.Data.Store;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.MLNet.Trainer;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;

namespace MLNetExtension;

/// <summary>Trains a causal language model with exact gradient accumulation: a GPT-2 network on bytes or tokens from scratch, a published model, or a network of your own, all of it or low-rank adapters.</summary>
/// <remarks>
/// <para>Input: see <see cref="InputColumns"/>. Output of the trained model: see <see cref="CausalLanguageModelTransformer"/>.</para>
/// <para>The device is the CPU, or the GPU that <see cref="MLContext.GpuDeviceId"/> names. Progress is written to <c>MLContext.Log</c>, and to .NET's metrics under the
/// meter <c>MLNetExtension</c>. The same seed gives the same model each time; TorchSharp's global random state is left alone, and fitting draws nothing from that of
/// the <see cref="MLContext"/>.</para>
/// </remarks>
public sealed partial class CausalLanguageModelTrainer : IEstimator<CausalLanguageModelTransformer>
{
    private readonly MLContext _mlContext;
    private readonly IHost _host;
    private readonly Options _options;
    private readonly int _seed;

    internal CausalLanguageModelTrainer(MLContext mlContext, Options options)
    {
        options.Validate();
        RequireSeed(mlContext, options);
        _mlContext = mlContext;
        _host = ((IHostEnvironment)mlContext).Register(nameof(CausalLanguageModelTrainer));
        _options = DerivedDefaults.FillIn(options);
        // Drawn once, so that fitting twice gives the same model twice, and kept with the options, so that a saved model tells it.
        _options.Seed = _seed = options.Seed ?? _host.Rand.Next();
    }

    /// <summary>Trains a model.</summary>
    /// <param name="input">Read once, in order; its rows are kept as token ids, in memory or, where they are many, in a temporary file.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="InvalidOperationException">No row has a target token and a weight; or a row has a weight or a token id that is not allowed; or the GPU asked for is not there and <see cref="MLContext.FallbackToCpu"/>
    /// is false; or torch's native library is missing; or <see cref="Options.Checkpoints"/> names a folder with another training.</exception>
    /// <exception cref="IOException">The folder of <see cref="Options.Checkpoints"/> cannot be used, or another training is using it; or the rows need a file, and it cannot be written.</exception>
    /// <exception cref="InvalidDataException">There are checkpoints, but none of them is whole; or a file of a folder that <see cref="Options.Model"/> names is damaged.</exception>
    /// <exception cref="NotSupportedException">The pretrained model is of a kind that is not supported; the message names it.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Options.CancellationToken"/> asked for it.</exception>
    public CausalLanguageModelTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        InputSchema.Check(input.Schema, _options.Columns);
        return TorchSetup.Run(() => Train(input));
    }

    /// <summary>Gives the columns of the trained model's output.</summary>
    /// <param name="inputSchema">Has the columns that are read.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        InputSchema.Check(inputSchema, _options.Columns);
        var columns = inputSchema.ToDictionary(column => column.Name);
        foreach (var output in OutputColumn.List(_options.Outputs))
            columns[output.Name] = output.Shape;
        return new SchemaShape(columns.Values);
    }

    private CausalLanguageModelTransformer Train(IDataView input)
    {
        using var channel = _host.Start("Training");
        var report = new TrainingReport(channel, _options);
        // Held until the training ends, and tried out before anything takes time.
        using var folder = _options.Checkpoints is { } places ? CheckpointFolder.Open(places.Folder, places.RestartIfDamaged, report.Warn) : null;
        var device = TorchDevice.Select(_mlContext, channel);
        var start = StartingModel.Open(_options);
        var encoder = new TokenExampleEncoder(start.Tokenizer, start.ContextLength, _options.LongRows!.Value);
        var settings = new StoreSettings { OnProgress = report.Read };
        using var requests = new EndRequests(_options.CancellationToken, _options.StopToken);
        TrainingRows? read = null;
        if (!requests.TryRun(token => read = TrainingRows.Read(input, _options, encoder, settings, token)))
        {
            report.StopWhileReading();
            return new CausalLanguageModelTransformer(start.Create(device, _seed), _options.CopyForModel(), new TrainingProgress().Summarize(StopReason.Requested, new BestWeights(), weightsStep: 0));
        }
        using TrainingRows trainingRows = read!;
        var (rows, validation) = trainingRows;

        var checkpoints = folder is null ? null : new CheckpointManager(folder, _options.Checkpoints!.Interval, ResumeSettings.Collect(_options, rows, validation?.Rows), hints: ResumeSettings.Hints(rows));

        var model = start.Create(device, _seed);
        try
        {
            var network = model.Network;
            report.Describe(start.Notes);
            report.Start(device, network, start.ContextLength, rows, validation?.Rows);
            if (checkpoints?.LatestStep is { } step)
                report.Resume(step);
            _options.OnStart?.Invoke(new CausalLanguageModelTransformer(model, _options.CopyForModel(), training: null));
            model.ThrowIfDisposed();
            var summary = TrainingLoop.Run(new TrainingRun(network, rows.Examples, _options.ToTrainingOptions(), _seed)
            {
                PublishedNames = model.PublishedNames,
                OnStep = report.Step,
                OnOutOfMemory = report.OutOfMemory,
                Validation = validation?.Measure(network, MLNetExtension.Training.Ranks.SingleRank.Instance),
                Checkpoints = checkpoints,
                StopToken = _options.StopToken,
                CancellationToken = _options.CancellationToken,
            });
            report.End(summary);
            return new CausalLanguageModelTransformer(model, _options.CopyForModel(), summary);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    // Without a seed no later training is the same, and the first attempt to resume would be the one to find out.
    private static void RequireSeed(MLContext mlContext, Options options)
    {
        if (options.Checkpoints is not null && options.Seed is null && ModelArchiveBridge.SeedOf(mlContext) is null)
            throw new ArgumentException($"Checkpoints.Folder is '{options.Checkpoints.Folder}', but there is no seed, so no later training could resume from it: "
                + "set the option Seed, or create the context by new MLContext(seed: 1).", nameof(options));
    }
}
