namespace MLNetExtension.Benchmarks.Systems;

/// <summary>What is compared, in the order in which a round runs it.</summary>
internal static class SystemNames
{
    public const string Ours = "ours";
    public const string PyTorch = "pytorch";
    public const string TorchSharp = "torchsharp";

    public static IReadOnlyList<string> All { get; } = [Ours, PyTorch, TorchSharp];
}
