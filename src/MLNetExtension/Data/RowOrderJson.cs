using System.Text.Json;
using System.Text.Json.Serialization;

namespace MLNetExtension.Data;

/// <summary>Writes an order as the name that it had when it was an enumeration, and one by a column as an object.</summary>
internal sealed class RowOrderJson : JsonConverter<RowOrder>
{
    /// <inheritdoc/>
    public override RowOrder? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            Ascending ascending = JsonSerializer.Deserialize<Ascending>(ref reader, options)!;
            return RowOrder.Ascending(ascending.Column, ascending.Epochs);
        }
        string? name = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        return name == nameof(RowOrder.Shuffled) ? RowOrder.Shuffled
            : name == nameof(RowOrder.AsGiven) ? RowOrder.AsGiven
            : throw new JsonException($"An order of rows is {nameof(RowOrder.Shuffled)}, {nameof(RowOrder.AsGiven)} or an object with a column.");
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, RowOrder value, JsonSerializerOptions options)
    {
        if (value is RowOrder.AscendingOrder ascending)
            JsonSerializer.Serialize(writer, new Ascending(ascending.By, ascending.Epochs), options);
        else
            writer.WriteStringValue(value.ToString());
    }

    private sealed record Ascending(string Column, int? Epochs = null);
}
