using System.Text.Json;
using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Optimization;
using TorchSharp;

namespace MLNetExtension.Benchmarks.Workloads;

/// <summary>
/// A workload as files, so that every system, whatever its language, starts from the same weights and reads the same rows: <c>workload.json</c> and the network's weights.
/// </summary>
internal sealed class WorkloadFolder
{
    private readonly WorkloadFile _file;

    private WorkloadFolder(string path, WorkloadFile file)
    {
        (Path, _file, Workload) = (path, file, Workload.Named(file.Name));
        Batches = [.. file.Batches.Select(Workload.Examples)];
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>The workload.</summary>
    public Workload Workload { get; }

    /// <summary>The rows of every step.</summary>
    public IReadOnlyList<TokenExample[]> Batches { get; }

    /// <summary>AdamW and clipping.</summary>
    public OptimizerSettings Optimizer => _file.Optimizer;

    /// <summary>The device that everything is computed on.</summary>
    public torch.Device Device => new(_file.Device);

    /// <summary>The type that it is computed in.</summary>
    public ComputePrecision Precision => Enum.Parse<ComputePrecision>(_file.Precision);

    /// <summary>Writes a workload.</summary>
    /// <param name="path">An existing folder.</param>
    /// <param name="workload">The workload.</param>
    /// <param name="machine">Where it runs.</param>
    public static void Write(string path, Workload workload, MachineSettings machine)
    {
        workload.Network.Write(path);
        ModelSizes? sizes = workload.Network is WorkloadNetwork.Gpt2 gpt2 ? ModelSizes.From(gpt2.Configuration) : null;
        WorkloadFile file = new(workload.Name, machine.Device, machine.Precision.ToString(), sizes, OptimizerSettings.From(Options), workload.RowsPerMicroBatch, workload.WarmupSteps, workload.DrawBatches());
        File.WriteAllText(FileOf(path), JsonSerializer.Serialize(file, JsonSerializerOptions.Web));
    }

    /// <summary>Opens what <see cref="Write"/> has written.</summary>
    /// <param name="path">The folder.</param>
    public static WorkloadFolder Open(string path) =>
        new(path, JsonSerializer.Deserialize<WorkloadFile>(File.ReadAllText(FileOf(path)), JsonSerializerOptions.Web)!);

    /// <summary>How ours trains: the defaults, which the peers take over, at a learning rate that suits all sizes.</summary>
    public static TrainingOptions Options => new() { LearningRate = 3e-4 };

    /// <summary>Makes the model with its starting weights, in training or evaluation mode.</summary>
    public CausalLanguageModel LoadModel()
    {
        CausalLanguageModel model = Workload.Network.Load(Path);
        model.train(Workload.IsTrained);
        model.to(Device);
        return model;
    }

    private static string FileOf(string path) => System.IO.Path.Combine(path, "workload.json");
}

/// <summary>Where and in what type a workload is computed, the same for every system.</summary>
/// <param name="Device">Torch's name of the device: <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>.</param>
/// <param name="Precision">The type of products; weights and sums stay in float32.</param>
internal sealed record MachineSettings(string Device, ComputePrecision Precision)
{
    /// <summary>Whether it is a GPU.</summary>
    public bool IsGpu => !Device.Equals("cpu", StringComparison.Ordinal);
}

/// <summary>What <c>workload.json</c> holds; the script in another language, which trains GPT-2 alone, reads it too.</summary>
internal sealed record WorkloadFile(string Name, string Device, string Precision, ModelSizes? Model, OptimizerSettings Optimizer, int RowsPerMicroBatch, int WarmupSteps, int[][][] Batches);

/// <summary>Sizes of a GPT-2, which is dense and without dropout in every system.</summary>
internal sealed record ModelSizes(int VocabularySize, int ContextLength, int Layers, int Heads, int Width)
{
    public static ModelSizes From(Gpt2Configuration configuration) =>
        new(configuration.VocabularySize, configuration.ContextLength, configuration.Layers, configuration.Heads, configuration.Width);
}

/// <summary>AdamW and clipping, the same in every system.</summary>
internal sealed record OptimizerSettings(double LearningRate, double Beta1, double Beta2, double Epsilon, double WeightDecay, double MaximumGradientNorm)
{
    public static OptimizerSettings From(TrainingOptions options)
    {
        var adamW = (AdamWOptions)options.Optimizer;
        return new(
            options.LearningRate, adamW.Beta1, adamW.Beta2 ?? AdamWOptions.DefaultBeta2, adamW.Epsilon, adamW.WeightDecay ?? AdamWOptions.DefaultWeightDecay, adamW.MaximumGradientNorm);
    }
}
