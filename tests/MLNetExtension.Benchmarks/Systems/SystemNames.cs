namespace MLNetExtension.Benchmarks.Systems;

/// <summary>The names of the systems, in the order in which a round runs them.</summary>
internal static class SystemNames
{
    public const string Ours = "ours";
    public const string PyTorch = "pytorch";
    public const string TorchSharp = "torchsharp";

    /// <param name="python">Whether there is a Python with torch to run the third.</param>
    public static IReadOnlyList<string> Compared(bool python) => python ? [Ours, TorchSharp, PyTorch] : [Ours, TorchSharp];
}
