using Microsoft.ML;
using Microsoft.ML.Tokenizers;
using MLNetExtension;
using TorchSharp;

namespace Samples.Reporting;

/// <summary>The versions of the packages that the program uses.</summary>
internal static class PackageVersions
{
    public static IReadOnlyDictionary<string, string> Read() => new Dictionary<string, string>
    {
        ["Microsoft.ML"] = TorchSetup.VersionOf(typeof(MLContext).Assembly),
        ["Microsoft.ML.Tokenizers"] = TorchSetup.VersionOf(typeof(Tokenizer).Assembly),
        ["TorchSharp"] = TorchSetup.TorchSharpVersion,
        ["libtorch"] = Version.Parse(torch.__version__).ToString(3),
    };

    /// <summary>All of them in one line.</summary>
    public static string Line() => string.Join(", ", Read().Select(package => $"{package.Key} {package.Value}"));
}
