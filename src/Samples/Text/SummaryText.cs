using System.Xml.Linq;

namespace Samples.Text;

/// <summary>Renders the elements of XML documentation as plain text.</summary>
internal static class SummaryText
{
    private static readonly string[] _inline = ["c", "code", "see", "seealso", "em", "strong", "b", "i"];

    /// <summary>The element's text: references by their names, white space collapsed and trimmed.</summary>
    public static string Render(XElement element) => string.Join(' ', Text(element).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static string Text(XNode node) => node switch
    {
        XText words => words.Value,
        XElement reference when ReferredName(reference) is { } name => name,
        XElement inline when _inline.Contains(inline.Name.LocalName) => string.Concat(inline.Nodes().Select(Text)),
        XElement block => $" {string.Concat(block.Nodes().Select(Text))} ",
        _ => "",
    };

    /// <summary>What an empty reference such as <c>&lt;see cref="T:System.String"/&gt;</c> refers to; null for any other element.</summary>
    private static string? ReferredName(XElement element)
    {
        if (!string.IsNullOrWhiteSpace(element.Value))
            return null;
        if (element.Attribute("cref")?.Value is { } member)
            return member.Length > 2 && member[1] == ':' ? member[2..] : member;
        XAttribute? attribute = element.Attribute("langword") ?? element.Attribute("name") ?? element.Attribute("uid") ?? element.Attribute("href");
        return attribute?.Value;
    }
}
