using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Training;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>The names of the systems, in the order in which a round runs them.</summary>
internal static class SystemNames
{
    public const string Ours = "ours";
    public const string PyTorch = "pytorch";
    public const string TorchSharp = "torchsharp";

    public const string TwoRanks = "2 ranks";
    public const string TwoThreads = "2 threads";
    public const string TwoWorkers = "2 workers";

    /// <summary>Ours in two threads' worth of ways: as it chooses itself, one worker of two threads, two workers of one, two processes of one.</summary>
    public static IReadOnlyList<string> Ways => [Ours, TwoThreads, TwoWorkers, TwoRanks];

    /// <summary>Lists the systems that can run a workload, ours first.</summary>
    /// <param name="workload">The workload.</param>
    /// <param name="machine">Where it runs. A loop in TorchSharp has no mixed precision.</param>
    /// <param name="python">Whether there is a Python with torch to run the third, which trains GPT-2 alone.</param>
    public static IReadOnlyList<string> Compared(Workload workload, MachineSettings machine, bool python)
    {
        IReadOnlyList<string> peers = machine.Precision == ComputePrecision.Float32 ? [TorchSharp] : [];
        return python && workload is { IsTrained: true, Network: WorkloadNetwork.Gpt2 } ? [Ours, .. peers, PyTorch] : [Ours, .. peers];
    }
}
