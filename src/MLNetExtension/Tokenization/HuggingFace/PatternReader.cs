using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the patterns of <c>tokenizer.json</c>: <c>{"String": ...}</c> or <c>{"Regex": ...}</c>.</summary>
internal static class PatternReader
{
    /// <summary>Reads the pattern of a component.</summary>
    public static ITextPattern Read(JsonObjectReader component)
    {
        JsonObjectReader pattern = component.GetObject("pattern");
        ITextPattern result = pattern.FindString("String") is { } text ? ReadLiteral(component, text) : Compile(component, pattern.GetString("Regex"));
        pattern.RefuseUnread();
        return result;
    }

    /// <summary>Reads a key that holds one character.</summary>
    public static char ReadCharacter(JsonObjectReader component, string key) => component.GetString(key) is [char character] ? character
        : throw new NotSupportedException($"{component.Name}: '{key}' is '{Excerpt.Of(component.GetString(key))}', expected one character up to U+FFFF.");

    private static LiteralPattern ReadLiteral(JsonObjectReader component, string text) =>
        text.Length > 0 ? new LiteralPattern(text) : throw new NotSupportedException($"{component.Name}: 'pattern' is the empty text, which is not supported.");

    private static WordPattern Compile(JsonObjectReader component, string regex)
    {
        try
        {
            return new WordPattern(regex);
        }
        catch (FormatException error)
        {
            throw new NotSupportedException($"{component.Name} cannot be used: {error.Message.TrimEnd('.')}.", error);
        }
    }
}
