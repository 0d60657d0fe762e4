using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Tokenizers;
using TorchSharp;

namespace Samples.Reporting;

/// <summary>The versions of the packages that the program uses.</summary>
internal static class PackageVersions
{
    public static IReadOnlyDictionary<string, string> Read() => new Dictionary<string, string>
    {
        ["Microsoft.ML"] = VersionOf(typeof(MLContext).Assembly),
        ["Microsoft.ML.Tokenizers"] = VersionOf(typeof(Tokenizer).Assembly),
        ["TorchSharp"] = VersionOf(typeof(torch).Assembly),
        ["libtorch"] = Version.Parse(torch.__version__).ToString(3),
    };

    /// <summary>All of them in one line.</summary>
    public static string Line() => string.Join(", ", Read().Select(package => $"{package.Key} {package.Value}"));

    private static string VersionOf(Assembly assembly) => assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
}
