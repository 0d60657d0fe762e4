using System.Text;
using System.Xml.Linq;

namespace Samples.Text;

/// <summary>Renders the elements of XML documentation as plain text.</summary>
internal static class SummaryText
{
    /// <summary>The element's text: references by their names, white space collapsed and trimmed.</summary>
    public static string Render(XElement element)
    {
        var text = new StringBuilder();
        Append(element, text);
        return string.Join(' ', text.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    private static void Append(XElement element, StringBuilder text)
    {
        foreach (XNode node in element.Nodes())
            switch (node)
            {
                case XText words:
                    text.Append(words.Value);
                    break;
                case XElement child when ReferredName(child) is { } name:
                    text.Append(name);
                    break;
                case XElement { Name.LocalName: "c" or "code" or "see" or "seealso" or "em" or "strong" or "b" or "i" } inline:
                    Append(inline, text);
                    break;
                case XElement block:
                    text.Append(' ');
                    Append(block, text);
                    text.Append(' ');
                    break;
            }
    }

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
