using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetExtension.Data;
using MLNetExtension.Data.Store;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.MLNet.Trainer;
using MLNetExtension.Training;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;
using TorchSharp;
using static TorchSharp.torch;

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
    private readonly bool _drawsSeed;

    internal CausalLanguageModelTrainer(MLContext mlContext, Options options)
    {
        options.Validate();
        RequireSeed(mlContext, options);
        _mlContext = mlContext;
        _host = ((IHostEnvironment)mlContext).Register(nameof(CausalLanguageModelTrainer));
        _options = DerivedDefaults.FillIn(options);
        // Drawn once, so that fitting twice gives the same model twice, and kept with the options, so that a saved model tells it.
        _drawsSeed = options.Seed is null;
        _options.Seed ??= _host.Rand.Next();
    }

    /// <summary>Trains a model. Where <see cref="Options.Ranks"/> is set, every rank makes this call, with the same options and data, and gets the same model.</summary>
    /// <param name="input">Read once, in order; its rows are kept as token ids, in memory or, where they are many, in a temporary file.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="InvalidOperationException">No row has a target token and a weight; or a row has a weight, a token id or a value to order by that is not allowed; or the GPU asked for is not there and <see cref="MLContext.FallbackToCpu"/>
    /// is false; or torch's native library is missing; or <see cref="Options.Checkpoints"/> names a folder with another training; or MPI is missing, the ranks differ in options or data, or another rank has failed.</exception>
    /// <exception cref="IOException">The folder of <see cref="Options.Checkpoints"/> cannot be used, or another training is using it; or the rows need a file, and it cannot be written.</exception>
    /// <exception cref="InvalidDataException">There are checkpoints, but none of them is whole; or a file of a folder that <see cref="Options.Model"/> or <see cref="Options.Distillation"/> names is damaged.</exception>
    /// <exception cref="ArgumentException">The teacher has another tokenizer than the student, or a shorter context, or is on another device.</exception>
    /// <exception cref="NotSupportedException">The pretrained model is of a kind that is not supported; the message names it.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Options.CancellationToken"/> asked for it.</exception>
    public CausalLanguageModelTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        InputSchema.Check(input.Schema, _options.Columns);
        InputSchema.CheckOrder(input.Schema, _options.RowOrder);
        return TorchSetup.Run(() =>
        {
            RankSetup ranks = _options.Ranks is { } options ? new(options.Open(), options.ShardOptimizer) : RankSetup.Alone;
            CausalLanguageModelTransformer? model = null;
            ranks.Group.RunTogether(() => model = Train(input, ranks));
            return model!;
        });
    }

    /// <summary>Gives the columns of the trained model's output.</summary>
    /// <param name="inputSchema">Has the columns that are read.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        InputSchema.Check(inputSchema, _options.Columns);
        InputSchema.CheckOrder(inputSchema, _options.RowOrder);
        var columns = inputSchema.ToDictionary(column => column.Name);
        foreach (var output in OutputColumn.List(_options.Outputs))
            columns[output.Name] = output.Shape;
        return new SchemaShape(columns.Values);
    }

    private CausalLanguageModelTransformer Train(IDataView input, RankSetup ranks)
    {
        IRankGroup group = ranks.Group;
        using var channel = _host.Start("Training");
        var options = AgreeOnSeed(group);
        var report = new TrainingReport(channel, options, isSilent: group.Rank != 0);
        using var folder = OpenCheckpoints(options, group, report);
        var (device, start) = (CPU, default(StartingModel)!);
        OpenedTeacher? opened = null;
        group.RunTogether(() =>
        {
            (device, start) = (TorchDevice.Select(_mlContext, channel), StartingModel.Open(options));
            opened = OpenedTeacher.Open(options, start);
        });
        using OpenedTeacher? teacher = opened;
        var encoder = new TokenExampleEncoder(start.Tokenizer, start.ContextLength, options.LongRows!.Value);
        var settings = new StoreSettings { CacheFolder = options.TokenCacheFolder, OnProgress = report.Read, OnWarning = report.Warn };
        using var requests = new EndRequests(options.CancellationToken, options.StopToken, group);
        TrainingRows? rows = null;
        try
        {
            if (requests.TryRun(token => rows = TrainingRows.Read(input, options, encoder, settings, token)))
                return TrainOn(rows!, new Fitting(options, ranks, report, folder, device, start, teacher));
            report.StopWhileReading();
            return new CausalLanguageModelTransformer(
                start.Create(device, options.Seed!.Value), options.CopyForModel(), new TrainingProgress().Summarize(StopReason.Requested, new BestWeights(), weightsStep: 0));
        }
        finally
        {
            rows?.Dispose();
        }
    }

    private static CausalLanguageModelTransformer TrainOn(TrainingRows trainingRows, Fitting fitting)
    {
        var (rows, validation) = trainingRows;
        var (options, ranks, report, folder, device, start, teacher) = fitting;
        IRankGroup group = ranks.Group;
        TrainedLanguageModel? model = null;
        Distillation? distillation = null;
        try
        {
            group.RunTogether(() =>
            {
                model = start.Create(device, options.Seed!.Value);
                distillation = teacher?.Load(device);
            });
            var network = model!.Network;
            var settings = options.Checkpoints is null && group.Size == 1 ? null : ResumeSettings.Collect(options, trainingRows, teacher?.HashWeights());
            if (group.Size > 1)
                RankSettings.RequireSame(group, options, settings!, network);
            var checkpoints = options.Checkpoints is null ? null
                : new CheckpointManager(folder, options.Checkpoints.Interval, settings!, group, ResumeSettings.Hints(rows));

            report.Describe(start.Notes);
            report.Start(device, network, start.ContextLength, rows, validation?.Rows);
            if (teacher is not null)
                report.Describe([teacher.Describe()]);
            report.Describe(ranks, onGpu: device.type != DeviceType.CPU);
            if (checkpoints?.LatestStep is { } step)
                report.Resume(step);
            options.OnStart?.Invoke(new CausalLanguageModelTransformer(model, options.CopyForModel(), training: null, group));
            model.ThrowIfDisposed();
            var summary = TrainingLoop.Run(new TrainingRun(network, rows.Examples, options.ToTrainingOptions() with { Distillation = distillation }, options.Seed!.Value)
            {
                OrderValues = trainingRows.OrderValues,
                PublishedNames = model.PublishedNames,
                Ranks = ranks,
                OnStep = report.Step,
                OnOutOfMemory = report.OutOfMemory,
                OnSplitChosen = report.Split,
                Preference = options.Preference is { } method ? new PreferenceObjective(method, trainingRows.Reference) : null,
                Validation = validation?.Measure(model, group),
                Checkpoints = checkpoints,
                MatrixPeak = options.MeasureMatrixPeak ? MeasurePeak(options, device, group) : null,
                StopToken = options.StopToken,
                CancellationToken = options.CancellationToken,
            });
            report.End(summary);
            return new CausalLanguageModelTransformer(model, options.CopyForModel(), summary, group);
        }
        catch
        {
            model?.Dispose();
            throw;
        }
    }

    // Before the clock of the training starts; ranks measure at the same time, as they compute at the same time.
    private static double MeasurePeak(Options options, Device device, IRankGroup ranks)
    {
        bool onCpu = device.type == DeviceType.CPU;
        int? threads = onCpu ? Math.Min(options.Batching.Threads ?? ranks.Threads, Environment.ProcessorCount) : null;
        ScalarType type = !onCpu && options.Batching.Precision == ComputePrecision.BFloat16 ? ScalarType.BFloat16 : ScalarType.Float32;
        return ranks.SumNumbers(MatrixPeak.MeasureOnce(device, threads, type))[0];
    }

    // A seed that was drawn differs from rank to rank: the first one's counts.
    private Options AgreeOnSeed(IRankGroup ranks)
    {
        if (!_drawsSeed || ranks.Size == 1)
            return _options;
        var options = _options.Copy();
        options.Seed = (int)ranks.Gather(_options.Seed!.Value)[0][0];
        return options;
    }

    // Held until the training ends, and tried out before anything takes time; by the first rank alone, which alone writes.
    private static CheckpointFolder? OpenCheckpoints(Options options, IRankGroup ranks, TrainingReport report)
    {
        CheckpointFolder? folder = null;
        if (options.Checkpoints is { } places)
            ranks.RunTogether(() => folder = ranks.Rank == 0 ? CheckpointFolder.Open(places.Folder, places.RestartIfDamaged, report.Warn, places.Kept) : null);
        return folder;
    }

    // Without a seed no later training is the same, and the first attempt to resume would be the one to find out.
    private static void RequireSeed(MLContext mlContext, Options options)
    {
        if (options.Checkpoints is not null && options.Seed is null && ModelArchiveBridge.SeedOf(mlContext) is null)
            throw new ArgumentException($"Checkpoints.Folder is '{options.Checkpoints.Folder}', but there is no seed, so no later training could resume from it: "
                + "set the option Seed, or create the context by new MLContext(seed: 1).", nameof(options));
    }

    // What a training needs beside its rows; the folder is its first rank's, where there are checkpoints.
    private sealed record Fitting(Options Options, RankSetup Ranks, TrainingReport Report, CheckpointFolder? Folder, Device Device, StartingModel Start, OpenedTeacher? Teacher);
}
