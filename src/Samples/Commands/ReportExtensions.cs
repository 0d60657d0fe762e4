using System.CommandLine;
using Samples.Reporting;

namespace Samples.Commands;

/// <summary>Gives commands the option <c>--json</c>.</summary>
internal static class ReportExtensions
{
    /// <summary>Says what a command does, and adds the option <c>--json</c>, which writes the report that it returns, if any, to a file.</summary>
    public static void SetReportingAction(this Command command, Func<ParseResult, object?> run)
    {
        Option<string?> json = new("--json") { Description = "Also write the report to this file, as JSON.", HelpName = "FILE" };
        // Checked before the command runs.
        json.Validators.Add(result =>
        {
            string path = Path.GetFullPath(result.GetValueOrDefault<string?>() ?? "");
            if (Directory.Exists(path))
                result.AddError($"--json {path} is a folder, not a file.");
            else if (!Directory.Exists(Path.GetDirectoryName(path)))
                result.AddError($"The folder of --json {path} does not exist.");
        });
        command.Add(json);
        command.SetAction(parsed =>
        {
            if (run(parsed) is { } report)
                Json.WriteReport(parsed.GetValue(json), report);
        });
    }
}
