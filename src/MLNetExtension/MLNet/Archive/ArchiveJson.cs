using System.Text.Json;
using System.Text.Json.Serialization;
using MLNetExtension.Files;

namespace MLNetExtension.MLNet.Archive;

/// <summary>How the JSON entries of an archive are written: with fields, because ML.NET's options are fields, and enumerations by name.</summary>
internal static class ArchiveJson
{
    public static JsonSerializerOptions Options { get; } = new()
    {
        IncludeFields = true,
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Converters = { new JsonStringEnumConverter() },
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
        AllowOutOfOrderMetadataProperties = true,
        MaxDepth = JsonFile.MaximumNesting,
    };
}
