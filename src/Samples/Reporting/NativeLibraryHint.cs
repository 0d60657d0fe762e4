using MLNetExtension.Estimators;

namespace Samples.Reporting;

/// <summary>Turns the failures of a torch that cannot be loaded into one sentence that says what is missing.</summary>
internal static class NativeLibraryHint
{
    private const string StandIn = "The native part of the stand-in for TorchSharp cannot be loaded: ./build.sh builds it against the libtorch of this machine.";

    /// <summary>The sentence; null where the exception is about something else.</summary>
    public static string? Explain(Exception exception) =>
        TorchSetup.Explain(exception) is { } sentence ? (PackageSources.TorchSharpIsStandIn ? StandIn : sentence) : null;
}
