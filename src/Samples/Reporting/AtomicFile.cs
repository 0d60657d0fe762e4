namespace Samples.Reporting;

/// <summary>Writes files so that readers find the old content or the new, never a part.</summary>
internal static class AtomicFile
{
    /// <summary>Writes to a temporary file in the same folder, then renames it.</summary>
    public static void WriteAllText(string path, string text)
    {
        string temporary = $"{path}.partial-{Environment.ProcessId}";
        try
        {
            File.WriteAllText(temporary, text);
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
