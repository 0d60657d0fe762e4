using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Samples.Reporting;

/// <summary>Writes reports as JSON: names in camel case, enums by name, non-finite numbers as "NaN" or "Infinity".</summary>
internal static class Json
{
    private static readonly JsonSerializerOptions _indented = Create(indented: true);
    private static readonly JsonSerializerOptions _compact = Create(indented: false);

    /// <summary>The report in indented JSON.</summary>
    public static string Indented<T>(T report) => JsonSerializer.Serialize(report, _indented) + "\n";

    /// <summary>The data on one line, safe inside a script element.</summary>
    public static string Compact<T>(T data) => JsonSerializer.Serialize(data, _compact);

    /// <summary>Writes a report to the file of <c>--json</c>, if one was given; readers find the old content or the new, never a part.</summary>
    public static void WriteReport<T>(string? file, T report)
    {
        if (file is not null)
            AtomicFile.WriteAllText(file, Indented(report));
    }

    private static JsonSerializerOptions Create(bool indented) => new(JsonSerializerDefaults.Web)
    {
        WriteIndented = indented,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = indented ? JavaScriptEncoder.UnsafeRelaxedJsonEscaping : JavaScriptEncoder.Default,
        Converters = { new JsonStringEnumConverter() },
    };
}
