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

    /// <summary>The folder with XML files in the newest of several versions, each a subfolder of the given folders; null if there is none.</summary>
    public static string? Newest(IEnumerable<string> packFolders)
    {
        IEnumerable<string> versions = packFolders.Where(Directory.Exists).SelectMany(Directory.GetDirectories).OrderByDescending(ParseVersion);
        IEnumerable<string> references = versions.Select(version => Path.Combine(version, "ref")).Where(Directory.Exists).SelectMany(Directory.GetDirectories);
        return references.FirstOrDefault(folder => Directory.EnumerateFiles(folder, "*.xml").Any());
    }

    private static IEnumerable<string> DotnetRoots()
    {
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root)
            yield return Path.TrimEndingDirectorySeparator(root);
        // The running framework lies in <root>/shared/Microsoft.NETCore.App/<version>/.
        yield return Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        string name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        foreach (string executable in folders.Select(folder => Path.Combine(folder, name)).Prepend(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "").Where(File.Exists))
            yield return Path.GetDirectoryName(Path.GetFullPath(File.ResolveLinkTarget(executable, returnFinalTarget: true)?.FullName ?? executable))!;
    }

    // 10.0.12 comes after 9.0.1, and after its own previews.
    private static (Version Version, bool IsReleased, string Name) ParseVersion(string folder)
    {
        string name = Path.GetFileName(folder);
        string[] parts = name.Split('-', 2);
        return (Version.TryParse(parts[0], out Version? version) ? version : new Version(), parts.Length == 1, name);
    }
}
