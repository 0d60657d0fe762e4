using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using MLNetExtension.Files;

namespace Samples.Reporting;

/// <summary>Writes reports as JSON: names in camel case, enums by name, non-finite numbers as "NaN" or "Infinity".</summary>
internal static class Json
{
    private static readonly JsonSerializerOptions _indented = Create(indented: true);

    /// <summary>On one line, safe inside a script element.</summary>
    public static JsonSerializerOptions Options { get; } = Create(indented: false);

    /// <summary>The report in indented JSON.</summary>
    public static string Indented(object report) => JsonSerializer.Serialize(report, _indented) + "\n";

    /// <summary>Writes a report to the file of <c>--json</c>, if one was given; readers never find a part of it.</summary>
    public static void WriteReport(string? file, object report)
    {
        if (file is null)
            return;
        (string folder, string name) = (Path.GetDirectoryName(Path.GetFullPath(file))!, Path.GetFileName(file));
        using StagedFiles staged = StagedFiles.CreateIn(folder);
        staged.Write(name, stream => stream.Write(Encoding.UTF8.GetBytes(Indented(report))));
        staged.MoveInto(folder, marker: name, isStale: _ => false);
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
