using System.Globalization;
using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>
/// Rotary frequencies in <c>config.json</c>: <c>rope_theta</c> beside <c>rope_scaling</c>, or, in later files, both in <c>rope_parameters</c>.
/// </summary>
internal static class RotaryScalingFile
{
    private static readonly Dictionary<string, Func<JsonObjectReader, int, RotaryScaling?>> Readers = new()
    {
        ["default"] = (_, _) => null,
        ["linear"] = (reader, _) => new RotaryScaling.Linear(Factor(reader)),
        ["dynamic"] = (reader, _) => new RotaryScaling.Dynamic(Factor(reader)),
        ["llama3"] = (reader, _) => new RotaryScaling.Llama3(
            Factor(reader), reader.GetNumber("low_freq_factor", SafeRanges.Scaling), HighFrequencyFactor(reader), reader.GetInteger("original_max_position_embeddings")),
        ["yarn"] = (reader, contextLength) => new RotaryScaling.Yarn(
            Factor(reader), reader.GetInteger("original_max_position_embeddings", contextLength), reader.GetNumber("beta_fast", SafeRanges.Scaling, 32),
            reader.GetNumber("beta_slow", SafeRanges.Scaling, 1), reader.FindNumber("attention_factor", SafeRanges.Scaling), reader.GetBoolean("truncate", true)),
    };

    public static (double Theta, RotaryScaling? Scaling) Read(JsonObjectReader reader, double defaultTheta, int contextLength)
    {
        double theta = reader.GetNumber("rope_theta", SafeRanges.RotaryBase, defaultTheta);
        JsonObjectReader? older = reader.FindObject("rope_scaling"), newer = reader.FindObject("rope_parameters");
        if (older is not null && newer is not null)
            throw new InvalidDataException($"{reader.Name}: 'rope_scaling' and 'rope_parameters' are both given; expected one of them.");
        if ((newer ?? older) is not { } scaling)
            return (theta, null);
        if (newer is not null)
        {
            theta = newer.GetNumber("rope_theta", SafeRanges.RotaryBase, theta);
            newer.Require("partial_rotary_factor", "1.0");
        }

        string? type = scaling.FindString("rope_type"), olderType = scaling.FindString("type");
        if (type is not null && olderType is not null && type != olderType)
            throw new InvalidDataException($"{scaling.Name}: 'rope_type' is '{type}' and 'type' is '{olderType}'; expected one of them.");
        string typeKey = type is null && olderType is not null ? "type" : "rope_type";
        Func<JsonObjectReader, int, RotaryScaling?> read = scaling.GetChoice(typeKey, Readers, newer is null ? null : "default");
        RotaryScaling? result = read(scaling, contextLength);
        scaling.RefuseUnread();
        return (theta, result);
    }

    public static void Write(LlamaConfiguration configuration, JsonObject json)
    {
        json["rope_theta"] = configuration.RotaryBase;
        json["rope_scaling"] = configuration.RotaryScaling switch
        {
            null => null,
            RotaryScaling.Linear linear => Scaling("linear", linear.Factor),
            RotaryScaling.Dynamic dynamic => Scaling("dynamic", dynamic.Factor),
            RotaryScaling.Llama3 llama3 => Llama3(llama3),
            RotaryScaling.Yarn yarn => Yarn(yarn),
            _ => throw new NotSupportedException($"Rotary scaling of the class {configuration.RotaryScaling.GetType().Name} has no form in Hugging Face's files."),
        };
    }

    // Some readers look for "type", others for "rope_type". (transformers before 4.43 takes "type" and "factor" with no third key.)
    private static JsonObject Scaling(string type, double factor) => new() { ["type"] = type, ["rope_type"] = type, ["factor"] = Float(factor) };

    private static JsonObject Llama3(RotaryScaling.Llama3 llama3)
    {
        JsonObject json = Scaling("llama3", llama3.Factor);
        json["low_freq_factor"] = Float(llama3.LowFrequencyFactor);
        json["high_freq_factor"] = Float(llama3.HighFrequencyFactor);
        json["original_max_position_embeddings"] = llama3.OriginalContextLength;
        return json;
    }

    private static JsonObject Yarn(RotaryScaling.Yarn yarn)
    {
        JsonObject json = Scaling("yarn", yarn.Factor);
        json["original_max_position_embeddings"] = yarn.OriginalContextLength;
        json["beta_fast"] = Float(yarn.FastTurns);
        json["beta_slow"] = Float(yarn.SlowTurns);
        if (yarn.AttentionFactor is { } factor)
            json["attention_factor"] = Float(factor);
        if (!yarn.WholeIndices)
            json["truncate"] = false;
        return json;
    }

    // transformers asks for floats, and Python takes a number without a point for an integer.
    private static JsonNode Float(double value)
    {
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        return JsonNode.Parse(text.AsSpan().ContainsAny(".E") ? text : text + ".0")!;
    }

    private static double Factor(JsonObjectReader reader) => reader.GetNumber("factor", SafeRanges.Scaling);

    // What lies between the two is blended by the share of the way from one to the other.
    private static double HighFrequencyFactor(JsonObjectReader reader) =>
        reader.GetNumber("high_freq_factor", SafeRanges.Scaling with { Minimum = reader.GetNumber("low_freq_factor"), IsOpen = true });
}
