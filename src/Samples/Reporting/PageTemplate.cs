using System.Text.RegularExpressions;

namespace Samples.Reporting;

/// <summary>The pages' templates, which are resources of this assembly: HTML with the names of its parts in double braces.</summary>
internal static partial class PageTemplate
{
    /// <summary>Puts every part where the template names it; <c>style</c> is the style sheet that all pages share.</summary>
    public static string Fill(string template, IReadOnlyDictionary<string, string> parts) =>
        Placeholder().Replace(Read(template), match => match.Groups[1].Value is var name && name == "style" ? Read("page.css") : parts[name]);

    private static string Read(string name)
    {
        using Stream resource = typeof(PageTemplate).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(resource);
        return reader.ReadToEnd();
    }

    // One pass: what a part holds is not looked at again.
    [GeneratedRegex(@"\{\{(\w+)\}\}")]
    private static partial Regex Placeholder();
}
