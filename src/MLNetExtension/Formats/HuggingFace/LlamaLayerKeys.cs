using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Models.Llama;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>The keys of <c>config.json</c> in which the layers of a Llama differ: which ones are not rotated, and which ones have a sliding window.</summary>
internal static class LlamaLayerKeys
{
    private const int DefaultFirstWindowLayer = 28, DefaultUnrotatedInterval = 4;
    private const string Sliding = "sliding_attention", Full = "full_attention";

    /// <summary>Adds what the keys say to a configuration.</summary>
    public static LlamaConfiguration Read(JsonObjectReader reader, LlamaFamily family, LlamaConfiguration configuration)
    {
        int[] unrotated = family.HasUnrotatedLayers ? ReadUnrotated(reader, configuration.Layers) : [];
        (int? window, int[]? sliding) = ReadWindow(reader, family, configuration.Layers, unrotated);
        return configuration with { UnrotatedLayers = unrotated, SlidingWindow = window, SlidingLayers = sliding };
    }

    private static int[] ReadUnrotated(JsonObjectReader reader, int layers)
    {
        int interval = reader.GetInteger("no_rope_layer_interval", DefaultUnrotatedInterval);
        IReadOnlyList<JsonElement>? rotated = reader.FindPerLayer("no_rope_layers", layers);
        List<int> unrotated = [];
        for (int layer = 0; layer < layers; layer++)
        {
            if (rotated is null ? (layer + 1) % interval == 0 : !IsRotated(reader, rotated[layer]))
                unrotated.Add(layer);
        }
        return [.. unrotated];
    }

    // Layers are counted from 0; null for all of them.
    private static (int? Window, int[]? Layers) ReadWindow(JsonObjectReader reader, LlamaFamily family, int layers, int[] unrotated)
    {
        if (family.Window == LlamaFamily.WindowForm.None)
            return (null, null);
        int? window = reader.FindInteger("sliding_window") ?? (reader.Contains("sliding_window") ? null : family.SlidingWindow);
        if (family.Window == LlamaFamily.WindowForm.AllLayers)
            return (window, null);

        if (family.Window == LlamaFamily.WindowForm.Alternating)
            return ReadAlternating(reader, family, layers, window);

        // The files of both other forms have the key; only those whose upper layers have the window mean it.
        int first = reader.GetInteger("max_window_layers", DefaultFirstWindowLayer, minimum: 0);
        IReadOnlyList<JsonElement>? types = reader.FindPerLayer("layer_types", layers);
        if (!reader.GetBoolean("use_sliding_window", false))
            window = null;
        IEnumerable<int> withWindow;
        if (types is not null)
            withWindow = Enumerable.Range(0, layers).Where(layer => IsSliding(reader, types[layer]));
        else if (window is null)
            withWindow = [];
        else if (family.Window == LlamaFamily.WindowForm.UpperLayers)
            withWindow = Enumerable.Range(0, layers).Where(layer => layer >= first);
        else
            withWindow = unrotated;

        int[] sliding = [.. withWindow];
        if (sliding.Length == 0)
            return (null, null);
        if (window is null)
            throw new InvalidDataException($"{reader.Name}: 'layer_types' names layers with a sliding window, but 'use_sliding_window' and 'sliding_window' give none.");
        return (window, sliding);
    }

    // The pattern has two names, and yields to the list.
    private static (int? Window, int[]? Layers) ReadAlternating(JsonObjectReader reader, LlamaFamily family, int layers, int? window)
    {
        int pattern = reader.GetInteger("sliding_window_pattern", reader.GetInteger("_sliding_window_pattern", family.WindowPattern));
        IReadOnlyList<JsonElement>? types = reader.FindPerLayer("layer_types", layers);
        int[] sliding = [.. Enumerable.Range(0, layers).Where(layer => types is null ? (layer + 1) % pattern != 0 : IsSliding(reader, types[layer]))];
        if (sliding.Length == 0)
            return (null, null);
        return (window ?? throw new InvalidDataException($"{reader.Name}: 'sliding_window' is null, expected a whole number of at least 1: layers have a sliding window."), sliding);
    }

    /// <summary>Writes what <see cref="Read"/> reads.</summary>
    public static void Write(LlamaConfiguration configuration, LlamaFamily family, JsonObject json)
    {
        IEnumerable<int> layers = Enumerable.Range(0, configuration.Layers);
        if (family.HasUnrotatedLayers)
            json["no_rope_layers"] = new JsonArray([.. layers.Select(layer => (JsonNode)(configuration.IsRotated(layer) ? 1 : 0))]);
        if (family.Window == LlamaFamily.WindowForm.None)
            return;
        json["sliding_window"] = configuration.SlidingWindow;
        if (family.Window == LlamaFamily.WindowForm.AllLayers)
            return;
        if (family.Window != LlamaFamily.WindowForm.Alternating)
            json["use_sliding_window"] = configuration.SlidingWindow is not null;
        json["layer_types"] = new JsonArray([.. layers.Select(layer => (JsonNode)(configuration.WindowOf(layer) is null ? Full : Sliding))]);
    }

    private static bool IsRotated(JsonObjectReader reader, JsonElement element) => element.ToString() switch
    {
        "0" => false,
        "1" => true,
        _ => throw reader.Unexpected("no_rope_layers", element, "0 or 1 for each layer"),
    };

    private static bool IsSliding(JsonObjectReader reader, JsonElement type) => type.ToString() switch
    {
        Sliding => true,
        Full => false,
        _ => throw reader.Unexpected("layer_types", type, $"'{Full}' or '{Sliding}'"),
    };
}
