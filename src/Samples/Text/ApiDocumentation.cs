using System.Xml;
using System.Xml.Linq;

namespace Samples.Text;

/// <summary>Rows from the XML documentation of an API: a member's id is the prompt, its summary the completion.</summary>
internal static class ApiDocumentation
{
    /// <summary>Reads every XML file of a folder: files ordered by name, members in the order of the file.</summary>
    /// <remarks>
    /// A summary that several members share (mostly overloads) is kept once, for the first of them, so that no held-out text is also a training text.
    /// </remarks>
    /// <param name="folder">A folder with XML documentation files.</param>
    public static RowSet Read(string folder)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var rows = new List<Row>();
        int skipped = 0;
        foreach (string file in Directory.GetFiles(folder, "*.xml").Order(StringComparer.Ordinal))
            foreach ((string id, string summary) in ReadMembers(file))
                if (summary.Length > 0 && seen.Add(summary))
                    rows.Add(new Row(PromptFormat.Terminate(id), summary));
                else
                    skipped++;
        string version = new DirectoryInfo(folder).Parent?.Parent?.Name ?? "";
        return new RowSet(rows, RowKind.Prompts, $"XML documentation of Microsoft.NETCore.App.Ref {version}", skipped);
    }

    private static IEnumerable<(string Id, string Summary)> ReadMembers(string file)
    {
        using var reader = XmlReader.Create(file);
        bool more = reader.ReadToFollowing("member");
        while (more)
        {
            var member = (XElement)XNode.ReadFrom(reader);  // the reader is then behind the element, possibly on the next one
            if (member.Attribute("name")?.Value is { } id && member.Element("summary") is { } summary)
                yield return (id, SummaryText.Render(summary));
            more = reader is { NodeType: XmlNodeType.Element, Name: "member" } || reader.ReadToFollowing("member");
        }
    }
}
