using Microsoft.ML;
using MLNetExtension.Evaluation;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Generation;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.MLNet;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Training;
using MLNetExtension.Training.Averaging;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Reports;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training;

/// <summary>Whole trainings on a CUDA device, beside the same on the CPU; without a device they count as skipped.</summary>
[TestClass]
[TestCategory("Gpu")]
[DoNotParallelize]
public sealed class GpuTrainingTests
{
    private static readonly Dictionary<string, (Func<CausalLanguageModel> Create, TrainingOptions Options)> _trainings = new()
    {
        ["GPT-2"] = (() => Ragged.Model(), Options()),
        ["GPT-2, packed"] = (() => Ragged.Model(), Options() with { Batching = new() { MaximumTokensPerMicroBatch = 60, PackRows = true } }),
        ["GPT-2, recomputed"] = (() => Ragged.Model(), Options() with { Batching = new() { MaximumTokensPerMicroBatch = 60, ActivationRecomputation = true } }),
        ["experts, balanced over the batch"] = (() => Ragged.Model(experts: 4, expertsPerToken: 2), Options() with { Loss = new() { RouterBalanceCoefficient = 0.1 } }),
        ["Llama"] = (() => OfKind("Llama"), Options()),
        ["Llama with adapters"] = (() => Adapt(OfKind("Llama"), new LoraOptions { Rank = 2 }), Options()),
        ["Llama with DoRA from PiSSA"] = (() => Adapt(OfKind("Llama"), new LoraOptions { Rank = 2, UseDora = true, Initialization = LoraInitialization.Pissa }), Options()),
        ["noise on embedded tokens"] = (() => Ragged.Model(), Options() with { Regularization = new() { EmbeddingNoise = 5 } }),
        ["averaged"] = (() => Ragged.Model(), Options() with { Regularization = new() { Averaging = WeightAveraging.Exponential(0.5) } }),
        ["focal"] = (() => Ragged.Model(), Options() with { Loss = new() { Kind = LossKind.Focal() } }),
        ["dynamic fine-tuning"] = (() => Ragged.Model(), Options() with { Loss = new() { Kind = LossKind.Dft } }),
        ["prompts with a weight, batches by tokens"] = (() => Ragged.Model(), Options() with { BatchTargetTokens = 50, Loss = new() { PromptWeight = 0.3 } }),
        ["smoothed, with z-loss"] = (() => Ragged.Model(), Options() with { Loss = new() { LabelSmoothing = 0.1, ZLoss = 0.01 } }),
        ["AdamW in 8 bits"] = (() => Ragged.Model(), Options() with { Optimizer = new AdamWOptions { StateBits = 8 } }),
        ["Muon"] = (() => Ragged.Model(), Options() with { Optimizer = new MuonOptions() }),
        ["Adafactor"] = (() => Ragged.Model(), Options() with { Optimizer = new AdafactorOptions() }),
        ["SGD"] = (() => Ragged.Model(), Options() with { Optimizer = new SgdOptions { Nesterov = true } }),
    };

    public static IEnumerable<string> Trainings => _trainings.Keys;

    [TestInitialize]
    public void RequireDevice()
    {
        if (!cuda.is_available())
            Assert.Inconclusive("There is no CUDA device here, or no CUDA build of libtorch (TorchRuntime=cuda).");
    }

    // In float64. The control is the second loss, which the first update made.
    [TestMethod]
    [DynamicData(nameof(Trainings))]
    public void A_gpu_trains_as_the_cpu_does(string training)
    {
        double[] expected = Train(training, CPU), actual = Train(training, CUDA);
        Assert.AreNotEqual(expected[0], expected[1], "the control: something was learned");
        // Muon orthogonalizes in float32; 8 bits round what differs by as little to numbers that do not.
        double tolerance = training is "Muon" or "AdamW in 8 bits" ? 1e-5 : 1e-10;
        for (int step = 0; step < expected.Length; step++)
            Assert.AreEqual(expected[step], actual[step], tolerance * expected[step], $"step {step}");
    }

    // Which inputs are zeroed is each device's own affair; that a training is repeatable is not.
    [TestMethod]
    public void Dropout_on_a_gpu_follows_the_seed_and_leaves_the_random_numbers_of_others_alone()
    {
        double[] first = Losses(), again = Losses();
        cuda.manual_seed(5);
        float before = rand(1, device: CUDA).cpu().ToSingle();
        cuda.manual_seed(5);
        Losses();
        float after = rand(1, device: CUDA).cpu().ToSingle();

        CollectionAssert.AreEqual(Round(first), Round(again));
        CollectionAssert.AreNotEqual(Round(first), Round(Train("GPT-2", CUDA)), "the control: something was zeroed");
        Assert.AreEqual(before, after);

        static double[] Losses()
        {
            using CausalLanguageModel model = Ragged.Model(dropout: 0.3);
            return Run(model, Options(), CUDA);
        }

        // Sums of a GPU have no fixed order.
        static double[] Round(double[] losses) => [.. losses.Select(loss => Math.Round(loss, 9))];
    }

    [TestMethod]
    public void A_model_of_the_pipeline_that_a_gpu_trained_gives_the_same_on_the_cpu()
    {
        var onGpu = new MLContext(seed: 1) { GpuDeviceId = 0 };
        List<StepReport> steps = [];
        CausalLanguageModelTrainer.Options options = Tiny.Options(steps: 8);
        options.Progress = new Tiny.Progress(steps.Add);
        using CausalLanguageModelTransformer model = Tiny.Train(onGpu, options);
        IDataView rows = Tiny.Rows(onGpu, Tiny.Texts);
        CausalLanguageModelMetrics there = onGpu.CausalLanguageModeling.Evaluate(model.Transform(rows));
        GenerationOptions greedy = new() { Temperature = 0, MaximumNewTokens = 8 };
        string written = onGpu.CausalLanguageModeling.CreateTextGenerator(model).Generate("The", greedy);
        using MemoryStream archive = new();
        onGpu.Model.Save(model, rows.Schema, archive);
        archive.Position = 0;

        var onCpu = new MLContext(seed: 1);
        onCpu.CausalLanguageModeling.RegisterLoader();
        ITransformer loaded = onCpu.Model.Load(archive, out var _);
        using var owned = (IDisposable)loaded;
        CausalLanguageModelMetrics here = onCpu.CausalLanguageModeling.Evaluate(loaded.Transform(rows));
        Assert.AreEqual(there.Loss, here.Loss, 1e-5 * there.Loss);
        Assert.AreEqual(written, onCpu.CausalLanguageModeling.CreateTextGenerator(loaded).Generate("The", greedy));
        Assert.IsLessThan(steps[0].Loss, steps[^1].Loss);
    }

    [TestMethod]
    public void Half_precision_on_a_gpu_learns_what_full_precision_does()
    {
        double[] full = Train("Llama", CUDA), half = Run(OfKind("Llama").to(float32), Options() with { Batching = new() { Precision = ComputePrecision.BFloat16 } }, CUDA);
        for (int step = 0; step < full.Length; step++)
            Assert.AreEqual(full[step], half[step], 0.02 * full[step], $"step {step}");
    }

    private static TrainingOptions Options() => new()
    {
        MaximumSteps = 6,
        BatchSize = 6,
        LearningRate = 0.01,
        Schedule = new() { WarmupSteps = 0 },
        Batching = new() { MaximumTokensPerMicroBatch = 60 },
    };

    private static double[] Train(string training, Device device)
    {
        using CausalLanguageModel model = _trainings[training].Create();
        return Run(model, _trainings[training].Options, device);
    }

    private static double[] Run(CausalLanguageModel model, TrainingOptions options, Device device)
    {
        model.to(device);
        List<double> losses = [];
        TrainingLoop.Run(model, Ragged.Examples(12), options, seed: 1, step => losses.Add(step.Loss));
        return [.. losses];
    }

    private static CausalLanguageModel OfKind(string kind) => Adapted.Model(kind).to(float64);

    private static CausalLanguageModel Adapt(CausalLanguageModel model, LoraOptions options)
    {
        HuggingFaceAdapters.Attach(model, options, seed: 1);
        return model.to(float64);
    }
}
