using System.Xml.Linq;

namespace Samples.Text;

/// <summary>Rows from the XML documentation of an API: a member's id is the prompt, its summary the completion.</summary>
internal static class ApiDocumentation
{
    /// <summary>Reads every XML file of a folder: files ordered by name, members in the order of the file.</summary>
    /// <remarks>
    /// A summary that several members share (mostly overloads) is kept once, for the first of them, so that no held-out text is also a training text.
    /// </remarks>
    public static RowSet Read(string folder)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var rows = new List<Row>();
        int skipped = 0;
        foreach (string file in Directory.GetFiles(folder, "*.xml").Order(StringComparer.Ordinal))
        {
            foreach (XElement member in XDocument.Load(file, LoadOptions.PreserveWhitespace).Descendants("member"))
            {
                if (member.Attribute("name")?.Value is not { } id || member.Element("summary") is not { } element)
                    continue;
                string summary = SummaryText.Render(element);
                if (summary.Length > 0 && seen.Add(summary))
                    rows.Add(new Row(Row.TerminatePrompt(id), summary));
                else
                    skipped++;
            }
        }
        string version = new DirectoryInfo(folder).Parent?.Parent?.Name ?? "";
        return new RowSet(rows, RowKind.Prompts, $"XML documentation of Microsoft.NETCore.App.Ref {version}", skipped);
    }
}
