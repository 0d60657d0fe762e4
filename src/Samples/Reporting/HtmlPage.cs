using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;

namespace Samples.Reporting;

/// <summary>An HTML page with figures, charts and cards below them, in one file that loads nothing. All parts are text, but the cards, which are HTML.</summary>
internal sealed partial record HtmlPage(string Title, string Subtitle, IEnumerable<(string Figure, string Label)> Tiles, ChartData Charts, IEnumerable<string> Cards)
{
    /// <summary>Renders the page, which is well-formed XML too.</summary>
    public string Render()
    {
        IEnumerable<string> tiles = Tiles.Select(tile => $"""<div class="tile"><b>{Encode(tile.Figure)}</b><span>{Encode(tile.Label)}</span></div>""" + "\n");
        var parts = new Dictionary<string, string>
        {
            ["title"] = Encode(Title),
            ["subtitle"] = Encode(Subtitle),
            ["tiles"] = string.Concat(tiles),
            ["cards"] = string.Concat(Cards.Select(card => $"<div class=\"card\">\n{card}\n</div>\n")),
            ["data"] = JsonSerializer.Serialize(Charts, Json.Options),
        };
        // One pass: a placeholder inside a part stays text.
        return Placeholder().Replace(ReadResource("page.html"), match => parts.GetValueOrDefault(match.Groups[1].Value) ?? ReadResource(match.Groups[1].Value));
    }

    /// <summary>The text as HTML that is XML too: characters that neither can hold, such as a model may write, are U+FFFD.</summary>
    public static string Encode(string text) => WebUtility.HtmlEncode(string.Concat(text.Select(c => XmlConvert.IsXmlChar(c) || char.IsSurrogate(c) ? c : '\uFFFD')));

    private static string ReadResource(string name)
    {
        using Stream resource = typeof(HtmlPage).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(resource);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"\{\{([\w.]+)\}\}")]
    private static partial Regex Placeholder();
}
