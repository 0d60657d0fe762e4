namespace Samples.Reporting;

/// <summary>Turns the failures of a torch that cannot be loaded into one sentence that says which package is missing.</summary>
internal static class NativeLibraryHint
{
    /// <summary>The sentence; null where the exception is about something else.</summary>
    public static string? Explain(Exception exception)
    {
        for (Exception? e = exception; e is not null; e = e.InnerException)
            if (Describe(e) is { } what)
                return $"{what}: {Remedy}";
        return null;
    }

    private static string Remedy => PackageSources.TorchSharpIsStandIn
        ? "the stand-in for TorchSharp needs its native part, which ./build.sh builds against the libtorch of this machine."
        : "add the package TorchSharp-cpu (for a GPU: TorchSharp-cuda-linux or TorchSharp-cuda-windows) in the version of TorchSharp to the application.";

    private static string? Describe(Exception e) => e switch
    {
        DllNotFoundException or BadImageFormatException => "The native library of torch cannot be loaded",
        NotSupportedException when e.Message.Contains("libtorch", StringComparison.OrdinalIgnoreCase) => "The native library of torch is missing",
        EntryPointNotFoundException => "TorchSharp and the native library of torch are of different versions",
        MissingMemberException or TypeLoadException or FileNotFoundException or FileLoadException when e.Message.Contains("TorchSharp", StringComparison.Ordinal) =>
            "TorchSharp cannot be loaded in the version that was compiled against",
        _ => null,
    };
}
