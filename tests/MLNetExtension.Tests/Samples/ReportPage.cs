using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;

namespace MLNetExtension.Tests.Samples;

/// <summary>A page of the samples, read as XML.</summary>
/// <param name="Text">The file.</param>
/// <param name="Root">Its root element.</param>
internal sealed partial record ReportPage(string Text, XElement Root)
{
    public XElement Body => Root.Element("body")!;

    /// <summary>The data of the charts, as JSON.</summary>
    public string Data => Body.Elements("script").Single(script => script.Attribute("type")?.Value == "application/json").Value;

    /// <summary>The values of every line of every chart, without gaps.</summary>
    public double[][][] Charts =>
    [
        .. JsonSerializer.Deserialize<JsonElement>(Data).GetProperty("charts").EnumerateArray().Select(chart => (double[][])
            [.. chart.GetProperty("lines").EnumerateArray().Select(Values)]),
    ];

    public static ReportPage Read(string file)
    {
        using XmlReader reader = XmlReader.Create(file, new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return new ReportPage(File.ReadAllText(file), XDocument.Load(reader).Root!);
    }

    /// <summary>The names of the files that the page links to.</summary>
    public IEnumerable<string> Links => Root.Descendants("a").Select(link => link.Attribute("href")!.Value);

    /// <summary>Asserts that the page loads nothing, and links to files beside it alone: no address outside the notices of the chart library.</summary>
    public void AssertSelfContained()
    {
        Assert.IsEmpty(Root.Descendants().Attributes().Where(attribute => attribute.Name.LocalName is "src" or "href" && attribute.Parent!.Name.LocalName != "a"));
        Assert.IsTrue(Links.All(link => link.All(c => char.IsLetterOrDigit(c) || c is '.' or '-' or '_')));
        string code = Notice().Replace(Text, "");
        foreach (string outside in (string[])["http:", "https:", "@import", "url("])
            Assert.DoesNotContain(outside, code);
    }

    private static double[] Values(JsonElement line) =>
        [.. line.GetProperty("values").EnumerateArray().Where(value => value.ValueKind != JsonValueKind.Null).Select(value => value.GetDouble())];

    [GeneratedRegex(@"/\*![\s\S]*?\*/")]
    private static partial Regex Notice();
}
