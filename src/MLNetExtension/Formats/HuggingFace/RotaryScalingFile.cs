using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
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
    private const string Theta = "rope_theta", LocalTheta = "rope_local_base_freq", Share = "partial_rotary_factor", OriginalLength = "original_max_position_embeddings";
    private const string ShortFactors = "short_factor", LongFactors = "long_factor";

    private static readonly NumberRange _rotatedShare = new(0, 1, IsOpen: true);

    private static readonly Dictionary<string, Func<JsonObjectReader, Context, RotaryScaling?>> Readers = new()
    {
        ["default"] = (_, _) => null,
        ["linear"] = (reader, _) => new RotaryScaling.Linear(Factor(reader)),
        ["dynamic"] = (reader, _) => new RotaryScaling.Dynamic(Factor(reader)),
        ["llama3"] = (reader, _) => new RotaryScaling.Llama3(
            Factor(reader), reader.GetNumber("low_freq_factor", SafeRanges.Scaling), HighFrequencyFactor(reader), reader.GetInteger(OriginalLength)),
        ["yarn"] = (reader, context) => new RotaryScaling.Yarn(
            Factor(reader), reader.GetInteger(OriginalLength, context.Length), reader.GetNumber("beta_fast", SafeRanges.Scaling, 32),
            reader.GetNumber("beta_slow", SafeRanges.Scaling, 1), reader.FindNumber("attention_factor", SafeRanges.Scaling), reader.GetBoolean("truncate", true)),
        ["longrope"] = LongRope,
    };

    /// <summary>Adds what the keys say to a configuration.</summary>
    public static LlamaConfiguration Read(JsonObjectReader reader, LlamaFamily family, LlamaConfiguration configuration)
    {
        double theta = reader.GetNumber(Theta, SafeRanges.RotaryBase, family.RotaryBase);
        double? localTheta = family.LocalRotaryBase is { } defaultLocal ? reader.GetNumber(LocalTheta, SafeRanges.RotaryBase, defaultLocal) : null;
        JsonObjectReader? older = reader.FindObject("rope_scaling"), newer = reader.FindObject("rope_parameters");
        if (older is not null && newer is not null)
            throw new InvalidDataException($"{reader.Name}: 'rope_scaling' and 'rope_parameters' are both given; expected one of them.");
        if (localTheta is not null && newer?.FindObject("full_attention") is { } ofOthers)
        {
            localTheta = ReadLocal(newer.GetObject("sliding_attention"), localTheta.Value);
            newer.RefuseUnread();
            newer = ofOthers;
        }
        theta = newer?.GetNumber(Theta, SafeRanges.RotaryBase, theta) ?? theta;
        int width = ReadWidth(reader, newer, family, configuration.HeadWidth);
        int? original = family.OriginalContextLength is { } defaultLength ? reader.GetInteger(OriginalLength, defaultLength) : null;
        Context context = new(configuration.ContextLength, width, original);
        return configuration with
        {
            RotaryBase = theta,
            LocalRotaryBase = localTheta,
            RotaryWidth = width,
            RotaryScaling = (newer ?? older) is { } scaling ? ReadScaling(scaling, isNewer: newer is not null, context) : null,
        };
    }

    private static RotaryScaling? ReadScaling(JsonObjectReader scaling, bool isNewer, Context context)
    {
        string? type = scaling.FindString("rope_type"), olderType = scaling.FindString("type");
        if (type is not null && olderType is not null && type != olderType)
            throw new InvalidDataException($"{scaling.Name}: 'rope_type' is '{type}' and 'type' is '{olderType}'; expected one of them.");
        string typeKey = type is null && olderType is not null ? "type" : "rope_type";
        // The first files with LongRoPE, those of Phi 3, call it "su".
        Func<JsonObjectReader, Context, RotaryScaling?> read = (type ?? olderType) == "su" && context.OriginalLength is not null ? LongRope
            : scaling.GetChoice(typeKey, Readers, isNewer ? "default" : null);
        RotaryScaling? result = read(scaling, context);
        scaling.RefuseUnread();
        return result;
    }

    private static double ReadLocal(JsonObjectReader reader, double defaultTheta)
    {
        reader.Require("rope_type", "\"default\"");
        reader.Require(Share, "1.0");
        double theta = reader.GetNumber(Theta, SafeRanges.RotaryBase, defaultTheta);
        reader.RefuseUnread();
        return theta;
    }

    private static int ReadWidth(JsonObjectReader reader, JsonObjectReader? newer, LlamaFamily family, int headWidth)
    {
        if (!family.HasPartialRotation)
        {
            reader.Require(Share, "1.0");
            newer?.Require(Share, "1.0");
            return headWidth;
        }
        double share = reader.GetNumber(Share, _rotatedShare, 1);
        share = newer?.GetNumber(Share, _rotatedShare, share) ?? share;
        int width = (int)(headWidth * share);
        return width > 0 && width % 2 == 0 ? width
            : throw new InvalidDataException($"{reader.Name}: by '{Share}', {share.ToString(CultureInfo.InvariantCulture)}, {width} of a head's {headWidth} coordinates are rotated, expected a positive even number.");
    }

    // The original length is a key of the whole file, of the scaling, or the context itself; a factor beside it must say the same.
    private static RotaryScaling.LongRope LongRope(JsonObjectReader reader, Context context)
    {
        int? given = reader.FindInteger(OriginalLength) ?? context.OriginalLength;
        int original = given ?? context.Length;
        double? factor = reader.FindNumber("factor", SafeRanges.Scaling), attention = reader.FindNumber("attention_factor", SafeRanges.Scaling);
        double ratio = (double)context.Length / original;
        if (given is not null && factor is { } other && other != ratio)
            throw new NotSupportedException($"{reader.Name}: 'factor' is {other.ToString(CultureInfo.InvariantCulture)}, but the context is {ratio.ToString(CultureInfo.InvariantCulture)} times as long as '{OriginalLength}', {original}; only equal ones are supported.");
        if (original < 2)
            throw new InvalidDataException($"{reader.Name}: '{OriginalLength}' is {original}, expected a whole number of at least 2.");
        return new RotaryScaling.LongRope(Divisors(reader, ShortFactors, context.Width / 2), Divisors(reader, LongFactors, context.Width / 2), original, factor ?? ratio, attention);
    }

    private static double[] Divisors(JsonObjectReader reader, string key, int count)
    {
        IReadOnlyList<JsonElement> items = reader.GetItems(key);
        if (items.Count != count)
            throw new InvalidDataException($"{reader.Name}: '{key}' has {items.Count} numbers, expected {count}, one for each pair of coordinates that is rotated.");
        return [.. items.Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetDouble(out double value) && SafeRanges.Scaling.Contains(value) ? value
            : throw reader.Unexpected(key, item, $"numbers {SafeRanges.Scaling}"))];
    }

    /// <summary>Writes what <see cref="Read"/> reads.</summary>
    public static void Write(LlamaConfiguration configuration, LlamaFamily family, JsonObject json)
    {
        json[Theta] = configuration.RotaryBase;
        if (family.LocalRotaryBase is not null)
            json[LocalTheta] = configuration.LocalRotaryBase;
        if (configuration.RotaryWidth != configuration.HeadWidth)
            json[Share] = (double)configuration.RotaryWidth / configuration.HeadWidth;
        if (family.OriginalContextLength is not null)
            json[OriginalLength] = (configuration.RotaryScaling as RotaryScaling.LongRope)?.OriginalContextLength ?? configuration.ContextLength;
        json["rope_scaling"] = configuration.RotaryScaling switch
        {
            null => null,
            RotaryScaling.Linear linear => Scaling("linear", linear.Factor),
            RotaryScaling.Dynamic dynamic => Scaling("dynamic", dynamic.Factor),
            RotaryScaling.Llama3 llama3 => Llama3(llama3),
            RotaryScaling.Yarn yarn => Yarn(yarn),
            RotaryScaling.LongRope longRope => LongRope(longRope, family, configuration.ContextLength),
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

    // transformers 4 refuses a Phi 3 whose scaling has another key than these three.
    private static JsonObject LongRope(RotaryScaling.LongRope longRope, LlamaFamily family, int contextLength)
    {
        JsonObject json = family.OriginalContextLength is not null ? new() { ["type"] = "longrope" } : Scaling("longrope", longRope.Factor);
        json[ShortFactors] = new JsonArray([.. longRope.ShortFactors.Select(factor => Float(factor))]);
        json[LongFactors] = new JsonArray([.. longRope.LongFactors.Select(factor => Float(factor))]);
        if (family.OriginalContextLength is null && longRope.OriginalContextLength != contextLength)
            json[OriginalLength] = longRope.OriginalContextLength;
        if (longRope.AttentionFactor is { } factor)
            json["attention_factor"] = Float(factor);
        return json;
    }

    // transformers asks for floats, and Python takes a number without a point for an integer.
    [return: NotNullIfNotNull(nameof(number))]
    internal static JsonNode? Float(double? number)
    {
        if (number is not { } value)
            return null;
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        return JsonNode.Parse(text.AsSpan().ContainsAny(".E") ? text : text + ".0")!;
    }

    private static double Factor(JsonObjectReader reader) => reader.GetNumber("factor", SafeRanges.Scaling);

    // What lies between the two is blended by the share of the way from one to the other.
    private static double HighFrequencyFactor(JsonObjectReader reader) =>
        reader.GetNumber("high_freq_factor", SafeRanges.Scaling with { Minimum = reader.GetNumber("low_freq_factor"), IsOpen = true });

    // What the scaling depends on besides its own keys. The width is that which is rotated; the original length is null where it is no key of the whole file.
    private sealed record Context(int Length, int Width, int? OriginalLength);
}
