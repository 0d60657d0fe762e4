namespace Samples.Reporting;

/// <summary>Writes files so that a reader finds the old content or the new, never half of it.</summary>
internal static class AtomicFile
{
    /// <summary>Writes beside the file first and renames at the end.</summary>
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
