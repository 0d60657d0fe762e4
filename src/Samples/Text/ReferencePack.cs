using System.Runtime.InteropServices;

using Samples.Errors;

namespace Samples.Text;

/// <summary>Finds the folder of the SDK's reference pack that holds the XML documentation of the .NET API.</summary>
internal static class ReferencePack
{
    /// <summary>The folder with the XML files of the newest reference pack on this machine.</summary>
    /// <exception cref="UserErrorException">There is no reference pack in any .NET installation that this process can find.</exception>
    public static string Find()
    {
        string[] roots = [.. DotnetRoots().Distinct()];
        string? newest = Newest(roots.Select(root => Path.Combine(root, "packs", "Microsoft.NETCore.App.Ref")));
        return newest ?? throw new UserErrorException(
            $"No XML documentation of the .NET API was found (looked for packs/Microsoft.NETCore.App.Ref in {string.Join(", ", roots)}); "
            + "install the .NET SDK, or give your own rows with --data.");
    }

    /// <summary>The folder with XML files in the newest of several versions; null if there is none.</summary>
    /// <param name="packFolders">Folders with a subfolder for each version.</param>
    public static string? Newest(IEnumerable<string> packFolders) => packFolders
        .Where(Directory.Exists)
        .SelectMany(Directory.GetDirectories)
        .OrderByDescending(Path.GetFileName, VersionOrder.Instance)
        .Select(version => Path.Combine(version, "ref"))
        .Where(Directory.Exists)
        .SelectMany(reference => Directory.GetDirectories(reference).OrderByDescending(Path.GetFileName, VersionOrder.Instance))
        .FirstOrDefault(folder => Directory.EnumerateFiles(folder, "*.xml").Any());

    private static IEnumerable<string> DotnetRoots()
    {
        string? host = Environment.ProcessPath;
        string?[] executables =
        [
            host is not null && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : null,
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH"),
            .. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
                .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet")),
        ];
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root)
            yield return Path.TrimEndingDirectorySeparator(root);
        // The running framework lies in <root>/shared/Microsoft.NETCore.App/<version>/.
        yield return Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        foreach (string executable in executables.OfType<string>().Where(File.Exists))
        {
            string target = File.ResolveLinkTarget(executable, returnFinalTarget: true)?.FullName ?? executable;
            yield return Path.GetDirectoryName(Path.GetFullPath(target))!;
        }
    }

    /// <summary>Orders "10.0.12" after "9.0.1" and "11.0.0" after "11.0.0-preview.1"; a leading "net" is ignored.</summary>
    private sealed class VersionOrder : IComparer<string?>
    {
        public static readonly VersionOrder Instance = new();

        public int Compare(string? x, string? y)
        {
            (Version xVersion, bool xReleased, string xText) = Parse(x);
            (Version yVersion, bool yReleased, string yText) = Parse(y);
            return (xVersion.CompareTo(yVersion), xReleased.CompareTo(yReleased)) switch
            {
                ( not 0 and int byVersion, _) => byVersion,
                (_, not 0 and int byRelease) => byRelease,
                _ => string.CompareOrdinal(xText, yText),
            };
        }

        private static (Version Version, bool Released, string Text) Parse(string? name)
        {
            string text = (name ?? "").StartsWith("net", StringComparison.Ordinal) ? name![3..] : name ?? "";
            string[] parts = text.Split('-', 2);
            return (Version.TryParse(parts[0], out Version? version) ? version : new Version(), parts.Length == 1, text);
        }
    }
}
