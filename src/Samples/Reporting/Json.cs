using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Samples.Reporting;

/// <summary>How reports are written as JSON: names in camel case, enums by name, numbers that are not finite as "NaN" or "Infinity".</summary>
internal static class Json
{
    private static readonly JsonSerializerOptions _indented = Create(indented: true);
    private static readonly JsonSerializerOptions _compact = Create(indented: false);

    public static string Indented<T>(T report) => JsonSerializer.Serialize(report, _indented) + "\n";

    /// <summary>On one line, and safe inside a script element.</summary>
    public static string Compact<T>(T data) => JsonSerializer.Serialize(data, _compact);

    private static JsonSerializerOptions Create(bool indented) => new(JsonSerializerDefaults.Web)
    {
        WriteIndented = indented,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = indented ? JavaScriptEncoder.UnsafeRelaxedJsonEscaping : JavaScriptEncoder.Default,
        Converters = { new JsonStringEnumConverter() },
    };
}
