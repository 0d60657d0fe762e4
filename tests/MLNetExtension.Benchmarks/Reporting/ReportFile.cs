using System.Text.Json;
using MLNetExtension.Benchmarks.Measuring;

namespace MLNetExtension.Benchmarks.Reporting;

/// <summary>Figures as JSON.</summary>
internal static class ReportFile
{
    private static readonly JsonSerializerOptions _indented = new(JsonSerializerDefaults.Web) { WriteIndented = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true };

    /// <summary>Writes figures.</summary>
    /// <param name="path">The file.</param>
    /// <param name="figures">A list of <see cref="SystemReport"/>, or what another measurement has found.</param>
    public static void Write(string path, object figures) => File.WriteAllText(path, JsonSerializer.Serialize(figures, _indented) + "\n");

    /// <summary>Reads the lines of a comparison.</summary>
    /// <param name="path">A file that <see cref="Write"/> has written.</param>
    /// <exception cref="BenchmarkException">It cannot be read, or holds something else.</exception>
    public static IReadOnlyList<SystemReport> Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<IReadOnlyList<SystemReport>>(File.ReadAllText(path), _indented) ?? throw new JsonException("it is null.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new BenchmarkException($"--results {path} cannot be read; expected is a file that --json has written of a comparison with peers: {e.Message}");
        }
    }
}
