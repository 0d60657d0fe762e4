using System.Text.Json;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Safetensors;
using MLNetExtension.Training;
using MLNetExtension.Training.Optimization;

namespace MLNetExtension.Benchmarks.Workloads;

/// <summary>
/// A workload as files, so that every system, whatever its language, starts from the same weights and reads the same rows: <c>workload.json</c> and <c>weights.safetensors</c>.
/// </summary>
internal sealed class WorkloadFolder
{
    private readonly string _path;

    private WorkloadFolder(string path, WorkloadFile file) => (_path, File) = (path, file);

    public WorkloadFile File { get; }

    /// <summary>Writes a workload.</summary>
    /// <param name="path">An existing folder.</param>
    /// <param name="workload">The workload.</param>
    public static void Write(string path, Workload workload)
    {
        using (Gpt2Model model = new(workload.Configuration, seed: 1))
        using (FileStream weights = System.IO.File.Create(WeightsOf(path)))
            ModuleWeights.Save(model, weights);
        WorkloadFile file = new(ModelSizes.From(workload.Configuration), OptimizerSettings.From(Options), workload.RowsPerMicroBatch, workload.WarmupSteps, workload.DrawBatches());
        System.IO.File.WriteAllText(FileOf(path), JsonSerializer.Serialize(file, JsonSerializerOptions.Web));
    }

    /// <summary>Opens what <see cref="Write"/> has written.</summary>
    /// <param name="path">The folder.</param>
    public static WorkloadFolder Open(string path) =>
        new(path, JsonSerializer.Deserialize<WorkloadFile>(System.IO.File.ReadAllText(FileOf(path)), JsonSerializerOptions.Web)!);

    /// <summary>How ours trains: the defaults, which the peers take over, at a learning rate that suits all three sizes.</summary>
    public static TrainingOptions Options => new() { LearningRate = 3e-4 };

    /// <summary>Makes the model with its starting weights.</summary>
    public Gpt2Model LoadModel()
    {
        Gpt2Model model = Gpt2Model.CreateUninitialized(File.Model.ToConfiguration());
        using FileStream weights = System.IO.File.OpenRead(WeightsOf(_path));
        ModuleWeights.Load(model, weights, weights.Length);
        model.train();
        return model;
    }

    private static string FileOf(string path) => Path.Combine(path, "workload.json");

    private static string WeightsOf(string path) => Path.Combine(path, "weights.safetensors");
}

/// <summary>What <c>workload.json</c> holds.</summary>
internal sealed record WorkloadFile(ModelSizes Model, OptimizerSettings Optimizer, int RowsPerMicroBatch, int WarmupSteps, int[][][] Batches);

/// <summary>Sizes of the model, which is dense and without dropout in every system.</summary>
internal sealed record ModelSizes(int VocabularySize, int ContextLength, int Layers, int Heads, int Width)
{
    public static ModelSizes From(Gpt2Configuration configuration) =>
        new(configuration.VocabularySize, configuration.ContextLength, configuration.Layers, configuration.Heads, configuration.Width);

    public Gpt2Configuration ToConfiguration() => new(VocabularySize, ContextLength, Layers, Heads, Width);
}

/// <summary>AdamW and clipping, the same in every system.</summary>
internal sealed record OptimizerSettings(double LearningRate, double Beta1, double Beta2, double Epsilon, double WeightDecay, double MaximumGradientNorm)
{
    public static OptimizerSettings From(TrainingOptions options) =>
        new(
            options.LearningRate, options.Optimizer.Beta1, options.Optimizer.Beta2 ?? AdamWOptions.DefaultBeta2, options.Optimizer.Epsilon, options.Optimizer.WeightDecay ?? AdamWOptions.DefaultWeightDecay,
            options.Optimizer.MaximumGradientNorm);
}
