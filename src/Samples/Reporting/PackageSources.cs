using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Tokenizers;
using TorchSharp;

namespace Samples.Reporting;

/// <summary>A package that the program runs on.</summary>
/// <param name="Source"><c>genuine</c> or <c>stand-in</c>, as this build was made.</param>
/// <param name="Version">Version of the assembly that is loaded.</param>
internal sealed record PackageSource(string Source, string Version)
{
    public override string ToString() => $"{Version} ({Source})";
}

/// <summary>Says which packages the program runs on: where a build substitutes stand-ins, it leaves that in the assembly's metadata.</summary>
internal static class PackageSources
{
    public static IReadOnlyDictionary<string, PackageSource> Read() => new Dictionary<string, PackageSource>
    {
        ["Microsoft.ML"] = Describe("MicrosoftMLStandIn", typeof(MLContext).Assembly),
        ["Microsoft.ML.Tokenizers"] = Describe("MicrosoftMLStandIn", typeof(Tokenizer).Assembly),
        ["TorchSharp"] = Describe("TorchSharpStandIn", typeof(torch).Assembly),
    };

    /// <summary>All of them in one line.</summary>
    public static string Line() => string.Join(", ", Read().Select(package => $"{package.Key} {package.Value}"));

    public static bool TorchSharpIsStandIn => IsStandIn("TorchSharpStandIn");

    private static PackageSource Describe(string key, Assembly assembly)
    {
        string version = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? assembly.GetName().Version?.ToString() ?? "unknown";
        return new PackageSource(IsStandIn(key) ? "stand-in" : "genuine", version.Split('+')[0]);
    }

    private static bool IsStandIn(string key) => typeof(PackageSources).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Any(metadata => metadata.Key == key && string.Equals(metadata.Value, "true", StringComparison.OrdinalIgnoreCase));
}
