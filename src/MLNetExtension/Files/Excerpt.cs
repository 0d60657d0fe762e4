namespace MLNetExtension.Files;

/// <summary>Shows a stranger's text in a message: the beginning of a long one, with every control character as a question mark.</summary>
internal static class Excerpt
{
    /// <summary>Gives the first characters of a text, and an ellipsis where there are more.</summary>
    public static string Of(string text, int length = 100)
    {
        string start = text.Length > length ? text[..length] + "..." : text;
        return start.Any(char.IsControl) ? string.Concat(start.Select(c => char.IsControl(c) ? '?' : c)) : start;
    }

    /// <summary>Gives the sentence of an error about an option, without .NET's name of the parameter: for an option that stands in a file.</summary>
    public static string OfSentence(ArgumentException error) => Of(error.Message.Split(" (Parameter '")[0], 500);
}
